"""SIGKILL before each step of a swap and of a rollback, and of the supervisor: one pair serves, and
the next command finishes or undoes what was begun. And Core itself is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.books.active_pair import set_active_pair
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.embedded.databases import EmbeddedDatabases
from ops.write_lock.lock import lock_state
from tests.acceptance.command_line import Pause
from tests.faults.cutover_scene import CutoverScene, losses

STEP = "ops.cutover.steps:enter_step"
# Every step of a swap, each with one of a rollback in turn; `export` is a part of the final price.
STEPS = [step for step in ROLLBACK_STEPS if step != "export"]
KILLS = [
    (swap, rollback % len(STEPS) + 1) for rollback, swap in enumerate(range(1, len(SWAP_STEPS) + 1))
]
SUPERVISOR_KILLS = ["lock legacy", "flip", "commit the lock", "release"]


@pytest.mark.parametrize(("swap_step", "rollback_step"), KILLS)
def test_what_was_killed_leaves_one_pair_serving_and_is_settled_by_the_next_run(
    swappable: CutoverScene, tmp_path: Path, swap_step: int, rollback_step: int
) -> None:
    _kill_at(swappable, ("swap",), swap_step, tmp_path / "swap")
    swappable.must("swap")
    swappable.assert_settled("new")
    _kill_at(swappable, losses(tmp_path), rollback_step, tmp_path / "rollback")
    swappable.must(*losses(tmp_path))
    swappable.assert_settled("old")


def _kill_at(scene: CutoverScene, words: tuple[str, ...], step: int, folder: Path) -> None:
    folder.mkdir()
    pause = Pause(STEP, step, folder)
    running = scene.start(words, pause)
    running.wait_for(pause.reached)
    running.kill()
    assert scene.serving() == scene.pointer()
    assert scene.log_in().status_code == 200


@pytest.mark.parametrize("step", SUPERVISOR_KILLS)
def test_a_killed_supervisor_leaves_one_pair_serving_and_the_next_swap_ends_well(
    swappable: CutoverScene, tmp_path: Path, step: str
) -> None:
    pause = Pause(STEP, SWAP_STEPS.index(step) + 1, tmp_path)
    running = swappable.start(("swap",), pause)
    running.wait_for(pause.reached)
    supervisor = swappable.backend.supervisor()
    assert supervisor is not None
    supervisor.kill()
    assert swappable.serving() == swappable.pointer()
    pause.resumed.touch()
    interrupted = running.outcome()
    assert "Traceback" not in interrupted.err, interrupted
    assert swappable.serving() == swappable.pointer()
    swappable.must("swap")
    swappable.assert_settled("new")
    swappable.must(*losses(tmp_path))
    swappable.assert_settled("old")


def test_a_second_swap_is_refused_where_the_value_of_the_active_pair_was_lost(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    swappable.must("swap")
    set_active_pair(swappable.state, "old")
    refused = swappable.stage.run("swap")
    assert refused.code != 0
    assert "that value was lost" in refused.errors[0]
    set_active_pair(swappable.state, "new")
    swappable.assert_settled("new")
    swappable.must(*losses(tmp_path))


@contextmanager
def _lost_core(scene: CutoverScene) -> Iterator[None]:
    """Its server is gone and does not start, until the block ends."""
    server = EmbeddedDatabases(scene.state).server("core")
    control = server.data / "global" / "pg_control"
    server.stop()
    control.rename(control.with_suffix(".away"))
    try:
        yield
    finally:
        control.with_suffix(".away").rename(control)
        EmbeddedDatabases(scene.state).up()


def test_a_lost_core_is_left_without_a_price_and_told_when_it_is_back(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    swappable.must("swap")
    needless = swappable.stage.run("rollback", "--blind")
    assert needless.code != 0
    assert "without --blind" in needless.errors[0]
    swappable.assert_settled("new")

    with _lost_core(swappable):
        swappable.must("rollback", "--blind")
        assert swappable.pointer() == swappable.serving() == "old"
        assert swappable.log_in().status_code == 200
        assert lock_state(swappable.stage.url("legacy")).state == "open"
        assert "active already" in swappable.must("rollback", "--blind").out

    assert "a blind rollback was recorded" in swappable.must("swap").out
    swappable.assert_settled("new")
    swappable.must(*losses(tmp_path))
    swappable.assert_settled("old")
