"""SIGKILL at each step of a swap and of a rollback, and of the supervisor: one pair serves, and the
next command finishes or undoes what was begun."""

from pathlib import Path

import pytest

from tests.acceptance.command_line import Pause
from tests.faults.cutover_scene import CutoverScene, losses

# The steps that a swap enters, and those of a rollback, one kill before each.
SWAP = range(1, 15)
ROLLBACK = range(1, 8)
STEP = "ops.cutover.steps:enter_step"


@pytest.mark.parametrize("step", SWAP)
def test_a_killed_swap_leaves_one_pair_serving_and_is_finished_by_the_next(
    swappable: CutoverScene, tmp_path: Path, step: int
) -> None:
    running = swappable.start(("swap",), Pause(STEP, step, tmp_path))
    running.wait_for(tmp_path / "reached")
    running.kill()
    assert swappable.serving() == swappable.pointer()
    assert swappable.log_in().status_code == 200
    swappable.must("swap")
    swappable.assert_settled("new")
    swappable.must(*losses(tmp_path))
    swappable.assert_settled("old")


@pytest.mark.parametrize("step", ROLLBACK)
def test_a_killed_rollback_leaves_one_pair_serving_and_is_finished_by_the_next(
    swappable: CutoverScene, tmp_path: Path, step: int
) -> None:
    swappable.must("swap")
    running = swappable.start(losses(tmp_path), Pause(STEP, step, tmp_path))
    running.wait_for(tmp_path / "reached")
    running.kill()
    assert swappable.serving() == swappable.pointer()
    assert swappable.log_in().status_code == 200
    swappable.must(*losses(tmp_path))
    swappable.assert_settled("old")
