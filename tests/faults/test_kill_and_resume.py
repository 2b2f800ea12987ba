"""SIGKILL at a chosen instant, then the same command again: as if nothing had happened."""

import os
import signal
from pathlib import Path

import pytest

from ops.embedded.databases import Name
from tests.acceptance.command_line import Pause
from tests.acceptance.rebuilt import discard
from tests.faults.stage import PHASES, POINTS, Stage
from tests.prefect_session import flow_runs_of

# By `make soak`: it takes whole commands on the embedded servers. Without these, a copy loses its
# server's process in the middle, a backup and a cleanup are killed, and so is a change of the pair.
pytestmark = pytest.mark.soak

# Phase, the function at one call of which it is stopped, and whether before or after that call.
PROCESS_KILLS = [
    ("copy", "ops.copy.report:Meter.read", 20, "before"),
    ("migrate", "flows.migrate:keep_books", 1, "before"),
    ("backfill", "ops.backfill.writer:copy_rows", 12, "after"),
    ("migrate", "migrations_core.tables_0001.correlations:create", 1, "after"),
    ("migrate", "migrations_ai.tables_0001:create", 1, "after"),
    ("seed", "ops.seed:_record_capital", 1, "after"),
    ("copy", "ops.copy.run:record_fingerprint", 1, "after"),
    ("copy", "ops.copy.run:record_fingerprint", 2, "before"),
    ("copy_again", "ops.copy.run:merge", 1, "after"),
    ("backfill", "ops.backfill.symbol_rows:copy_rows", 2, "before"),
    ("backfill", "ops.backfill.batch:write_portfolio", 2, "before"),
    ("backfill", "flows.backfill:finish_batch", 1, "before"),
]

SERVER_KILLS = [
    ("copy", "core", "ops.copy.report:Meter.read", 20),
    ("backfill", "core", "ops.backfill.writer:copy_rows", 12),
    ("migrate", "core", "migrations_core.tables_0001.correlations:create", 1),
    ("migrate", "ai", "migrations_ai.tables_0001:create", 1),
    ("copy", "legacy", "ops.copy.report:Meter.read", 20),
]


@pytest.mark.parametrize(("phase", "function", "call", "moment"), PROCESS_KILLS)
def test_a_killed_command_is_finished_by_the_same_command(
    stage: Stage, tmp_path: Path, phase: str, function: str, call: int, moment: str
) -> None:
    undisturbed = stage.content_at(phase)
    stage.back_to(POINTS[phase][0])
    running = stage.start(PHASES[phase], Pause(function, call, tmp_path, moment == "after"))
    running.kill()
    again = stage.must(*PHASES[phase])
    assert stage.content() == undisturbed
    assert stage.sessions_of_the_dead() == []
    assert "marked as crashed" in again.err
    runs = flow_runs_of(stage.command_line.prefect, running.pid)
    assert [run["state_type"] for run in runs] == ["CRASHED"]


@pytest.mark.parametrize(("phase", "server", "function", "call"), SERVER_KILLS)
def test_a_command_whose_server_was_killed_is_finished_by_the_same_command(
    stage: Stage, tmp_path: Path, phase: str, server: Name, function: str, call: int
) -> None:
    undisturbed = stage.content_at(phase)
    stage.back_to(POINTS[phase][0])
    pause = Pause(function, call, tmp_path)
    running = stage.start(PHASES[phase], pause)
    stage.kill(server)
    stage.databases.up()
    pause.resumed.touch()
    interrupted = running.outcome()
    # Trying again may have carried it through.
    assert interrupted.code == 0 or len(interrupted.errors) == 1, interrupted
    assert "Traceback" not in interrupted.err, interrupted
    stage.must(*PHASES[phase])
    assert stage.content() == undisturbed
    assert stage.sessions_of_the_dead() == []


def test_a_server_that_stays_away_ends_the_command_in_one_line(
    stage: Stage, tmp_path: Path
) -> None:
    undisturbed = stage.content_at("backfill")
    stage.back_to("copy")
    pause = Pause("ops.backfill.writer:copy_rows", 12, tmp_path)
    running = stage.start(PHASES["backfill"], pause)
    stage.kill("core")
    pause.resumed.touch()
    outcome = running.outcome()
    assert outcome.code == 1, outcome
    assert [line for line in outcome.errors if "start it" in line] == outcome.errors != []
    assert "Traceback" not in outcome.err, outcome
    stage.must("up")
    stage.must(*PHASES["backfill"])
    assert stage.content() == undisturbed


def test_the_whole_book_killed_in_the_middle_ends_like_an_undisturbed_run(
    stage: Stage, tmp_path: Path
) -> None:
    stage.back_to("whole_copy")
    stage.must("backfill")
    undisturbed = stage.content()
    stage.back_to("whole_copy")
    running = stage.start(("backfill",), Pause("ops.backfill.writer:copy_rows", 55, tmp_path))
    running.kill()
    stage.must("backfill")
    assert stage.content() == undisturbed
    assert len(undisturbed.ledger) == 1331


@pytest.mark.parametrize(
    ("phase", "function"),
    [
        ("copy", "ops.copy.run:record_fingerprint"),
        ("backfill", "ops.backfill.batch:plan_spans"),
    ],
)
def test_an_interrupt_ends_in_one_line_and_can_be_resumed(
    stage: Stage, tmp_path: Path, phase: str, function: str
) -> None:
    undisturbed = stage.content_at(phase)
    stage.back_to(POINTS[phase][0])
    running = stage.start(PHASES[phase], Pause(function, 1, tmp_path))
    os.kill(running.pid, signal.SIGINT)
    outcome = running.outcome()
    assert outcome.code == 130, outcome
    assert outcome.errors == ["error: interrupted; run the same command again to go on"]
    assert "Traceback" not in outcome.err, outcome
    stage.must(*PHASES[phase])
    assert stage.content() == undisturbed


def test_a_kill_while_the_servers_are_made_is_mended_by_the_same_command(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("half_made")
    half_made = Stage(stage.command_line, folder / "home")
    points = ["ops.embedded.databases:provision", "ops.demo.legacy:_copy_prices"]
    try:
        for number, function in enumerate(points):
            pause_folder = folder / str(number)
            pause_folder.mkdir()
            half_made.start(("up",), Pause(function, 1, pause_folder)).kill()
        half_made.must("up")
        assert half_made.content() == stage.content_at("nothing")
    finally:
        discard(half_made.databases)
