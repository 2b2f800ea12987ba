"""SIGKILL before each step of a swap and of a rollback, of the supervisor and of each server: one
pair serves, and the next command finishes or undoes what was begun. And Core itself is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import psutil
import pytest

from ops.books.active_pair import Pair
from ops.connection import connect
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.embedded.databases import EmbeddedDatabases, Name
from ops.embedded.server import EmbeddedServer
from ops.waiting import wait_until
from ops.write_lock.lock import lock_state
from tests.acceptance.command_line import Pause
from tests.faults.cutover.scene import CutoverScene, losses
from tests.faults.stage import Stage

STEP = "ops.cutover.steps:enter_step"
# Every step of a swap, each with one of a rollback in turn.
KILLS = [
    (step, ROLLBACK_STEPS[number % len(ROLLBACK_STEPS)]) for number, step in enumerate(SWAP_STEPS)
]
# All of this by `make soak`: it takes a supervisor and whole commands. Without these, steps are
# killed at each run of the tests (tests/integration/cutover/test_cutover_kills.py). Here one of
# each kind is killed in the command itself.
pytestmark = pytest.mark.soak
BY_COMMAND = {"hold requests", "final delta", "flip", "commit the lock"}
SUPERVISOR_KILLS = ("lock legacy", "commit the lock", "release")
# Before users wait, while they do, and once the pair has changed.
SERVER_KILLS = ("first parity", "final delta", "release")


@pytest.mark.parametrize(
    ("swap_step", "rollback_step"),
    KILLS,
)
def test_what_was_killed_leaves_one_pair_serving_and_is_settled_by_the_next_run(
    swappable: CutoverScene, tmp_path: Path, swap_step: str, rollback_step: str
) -> None:
    commands = swappable.stage if swap_step in BY_COMMAND else swappable.light
    _kill_at(swappable, commands, ("swap",), SWAP_STEPS.index(swap_step), tmp_path / "swap")
    commands.must("swap")
    swappable.assert_settled("new")
    back = losses(tmp_path)
    _kill_at(swappable, commands, back, ROLLBACK_STEPS.index(rollback_step), tmp_path / "rollback")
    commands.must(*back)
    swappable.assert_settled("old")


def _kill_at(
    scene: CutoverScene, commands: Stage, words: tuple[str, ...], step: int, folder: Path
) -> None:
    folder.mkdir()
    commands.start(words, Pause(STEP, step + 1, folder)).kill()
    assert scene.serving() == scene.pointer()
    assert scene.log_in().status_code == 200


@pytest.mark.parametrize("step", SUPERVISOR_KILLS)
def test_a_killed_supervisor_leaves_one_pair_serving_and_the_next_swap_ends_well(
    swappable: CutoverScene, tmp_path: Path, step: str
) -> None:
    _kill_supervisor(swappable, swappable.light, tmp_path, step)


def _kill_supervisor(scene: CutoverScene, commands: Stage, folder: Path, step: str) -> None:
    pause = Pause(STEP, SWAP_STEPS.index(step) + 1, folder)
    running = commands.start(("swap",), pause)
    supervisor = scene.backend.supervisor()
    assert supervisor is not None
    supervisor.kill()
    assert scene.serving() == scene.pointer()
    pause.resumed.touch()
    interrupted = running.outcome()
    assert "Traceback" not in interrupted.err, interrupted
    assert scene.serving() == scene.pointer()
    commands.must("swap")
    scene.assert_settled("new")
    commands.must(*losses(folder))
    scene.assert_settled("old")


@pytest.mark.parametrize("name", get_args(Name))
@pytest.mark.parametrize("step", SERVER_KILLS)
def test_a_killed_server_leaves_one_pair_serving_and_the_next_swap_ends_well(
    swappable: CutoverScene, tmp_path: Path, step: str, name: Name
) -> None:
    databases, commands = EmbeddedDatabases(swappable.state), swappable.light
    pause = Pause(STEP, SWAP_STEPS.index(step) + 1, tmp_path)
    running = commands.start(("swap",), pause)
    _kill_server(databases.server(name))
    pause.resumed.touch()
    interrupted = running.outcome()
    assert "Traceback" not in interrupted.err, interrupted
    databases.up()
    assert swappable.serving() == swappable.pointer()
    commands.must("swap")
    swappable.assert_settled("new")
    commands.must(*losses(tmp_path))
    swappable.assert_settled("old")


def _kill_server(server: EmbeddedServer) -> None:
    """Its processes end as soon as they see that the first one is gone."""
    first = server.process()
    assert first is not None
    everyone = [first, *first.children()]
    first.kill()
    psutil.wait_procs(everyone, timeout=20)


def test_a_second_swap_is_refused_where_the_value_of_the_active_pair_was_lost(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    swappable.stage.must("swap")
    _set_row(swappable, "old")
    refused = swappable.stage.run("swap")
    assert refused.code != 0
    assert "that value was lost" in refused.errors[0]
    _set_row(swappable, "new")
    swappable.assert_settled("new")
    swappable.stage.must(*losses(tmp_path))


def _set_row(scene: CutoverScene, pair: Pair) -> None:
    """And have the backend hear of it, which nobody has told."""
    with connect(scene.stage.url("core"), application_name="tests") as core:
        core.execute("UPDATE ops.gate SET pair = %s", [pair])
    assert wait_until(lambda: scene.serving() == pair, 10)


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
    swappable.stage.must("swap")
    needless = swappable.stage.run("rollback", "--blind")
    assert needless.code != 0
    assert "without --blind" in needless.errors[0]
    swappable.assert_settled("new")

    with _lost_core(swappable):
        assert "requests were refused for" in swappable.stage.must("rollback", "--blind").out
        assert swappable.serving() == "old"
        assert swappable.log_in().status_code == 200
        assert lock_state(swappable.stage.url("legacy")).state == "open"
        assert "active already" in swappable.stage.must("rollback", "--blind").out

    assert "not recorded yet" in swappable.stage.run("swap", "--dry-run").errors[0]
    assert "a blind rollback was recorded" in swappable.stage.must("swap").out
    swappable.assert_settled("new")
    swappable.stage.must(*losses(tmp_path))
    swappable.assert_settled("old")


def test_a_killed_supervisor_and_the_backends_are_started_anew_by_a_command(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    """By the command of the product."""
    _kill_supervisor(swappable, swappable.stage, tmp_path, "flip")
