"""Runs that a real worker carries out: by button, by schedule, late, and when they are killed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.crashed_runs import watch_heartbeats
from flows.heartbeat import HEARTBEAT_SECONDS
from flows.prefect_server import environment_of
from ops.books.run_lock import exclusive_run
from ops.embedded.databases import SPECS, EmbeddedDatabases
from tests.acceptance.test_secrets import files_with
from tests.dashboard.conftest import FIRST, LAST
from tests.dashboard.dashboard import Dashboard
from tests.groups import soaked

# Longer than between two beats.
SILENT_SECONDS = 2 * HEARTBEAT_SECONDS
RANGE = {"first": FIRST, "last": LAST}


@dataclass(frozen=True)
class Press:
    """A button, its form, and what comes of it.

    Attributes:
        says: a line of the run's log or of its final state.
    """

    deployment: str
    form: dict[str, Any]
    name: str
    state: str
    says: str


# Both at once, as none is in the way of the other.
TOGETHER = [
    Press("verify", RANGE, f"verify {FIRST}..{LAST}", "Completed", "pass: core schema"),
    Press("backup", {"databases": ["ai"]}, "backup ai", "Completed", "restored and found equal"),
]
# One after the other; each is a process that takes seconds.
ALONE = [
    Press("swap", {}, "swap: already active", "Completed", "already"),
    Press("swap", {"dry_run": True}, "swap: already active", "Completed", "already"),
    Press("follow", {}, "follow", "Completed", "carried back "),
    Press("cleanup", {}, "cleanup (dry run)", "Completed", "seven days"),
    Press("rollback", {"dry_run": True}, "rollback (dry run)", "Completed", "plan "),
    Press("cleanup", {"execute": True}, "cleanup as approved", "Completed", "too early"),
    Press("backfill", RANGE, f"backfill {FIRST}..{LAST}", "Completed", "nothing to do"),
    Press(
        "backfill",
        {"last": None},
        "nightly backfill for ",
        "Failed",
        "sessions ended without new prices",
    ),
]
# They need no databases.
REFUSED = [
    Press(
        "rehearse",
        {"first": LAST, "last": FIRST},
        f"rehearse {LAST}..{FIRST}",
        "Failed",
        "is reversed; give the earlier day first",
    ),
    *soaked(
        Press(
            "rollback",
            {"blind": True, "accept_loss": 3},
            "rollback to the old database",
            "Failed",
            "a blind rollback knows no price",
        ),
        Press(
            "swap",
            {"dry_run": True, "plan_id": "ab12"},
            "swap (dry run)",
            "Failed",
            "give --plan-id without --dry-run",
        ),
    ),
]


@dataclass(frozen=True)
class Killed:
    """Runs whose processes were killed, with the worker, and when."""

    at: datetime
    by_worker: str
    by_command: str


@pytest.fixture(scope="module")
def killed(dashboard: Dashboard, rebuilt_by_button: str) -> Killed:
    """A run of the worker and one of a command, both waiting for the phases' lock, SIGKILLed."""
    with _watched(dashboard), phases_locked(dashboard):
        by_worker = dashboard.press("backfill", **RANGE)
        command = subprocess.Popen(
            ["sigmasight", "backfill", "--first", FIRST, "--last", LAST],
            env=dashboard.environment,
            cwd=dashboard.home.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        run = dashboard.await_state(by_worker, "RUNNING", seconds=30)
        assert run["state_type"] == "RUNNING", run["state"]
        by_command = _running_besides(dashboard, by_worker)
        kill_family(dashboard.worker_process)
        command.kill()
        command.wait()
    start_worker(dashboard)
    return Killed(datetime.now(UTC), by_worker, by_command)


def start_worker(dashboard: Dashboard) -> None:
    """Not by a command, which would look for the processes of runs itself."""
    assert not dashboard.worker.is_online()
    dashboard.run("python", "-c", _START, PREFECT_HOME=str(dashboard.home / "prefect"))
    assert dashboard.worker.is_online()


_START = """
from flows.worker import Worker
from ops.settings import operator_settings
worker = Worker(operator_settings().state)
assert worker.start() and not worker.start()
worker.wait()
"""


@contextmanager
def _watched(dashboard: Dashboard) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: dashboard.api_url}):
        watch_heartbeats(SILENT_SECONDS)
        yield


@contextmanager
def phases_locked(dashboard: Dashboard) -> Iterator[None]:
    server = EmbeddedDatabases(dashboard.state).server("core")
    with exclusive_run(server.url(SPECS["core"].database)):
        yield


def _running_besides(dashboard: Dashboard, other: str) -> str:
    question = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < deadline:
        for run in dashboard.ask("flow_runs/filter", question):
            if run["id"] != other:
                return str(run["id"])
    raise AssertionError("the command's run never began")


def kill_family(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=20)


@pytest.mark.soak
def test_a_whole_rebuild_by_button(dashboard: Dashboard, rebuilt_by_button: str) -> None:
    run = dashboard.flow_run(rebuilt_by_button)
    assert (run["name"], run["state_name"]) == (f"rebuild {FIRST}..{LAST}", "Completed")
    found = {
        child["name"]
        for child in dashboard.ask("flow_runs/filter", {})
        if child["parent_task_run_id"] is not None
    }
    assert {"seed Core", f"backfill {FIRST}..{LAST}", f"verify {FIRST}..{LAST}"} <= found


@pytest.fixture(scope="module")
def pressed(dashboard: Dashboard, rebuilt_by_button: str) -> list[str]:
    return [dashboard.press(press.deployment, **press.form) for press in TOGETHER]


def name_of(press: Press) -> str:
    return f"{press.deployment} {press.form}"


@pytest.mark.soak
@pytest.mark.parametrize("press", TOGETHER, ids=name_of)
def test_buttons_pressed_together_are_carried_out_by_the_worker(
    dashboard: Dashboard, rebuilt_by_button: str, pressed: list[str], press: Press
) -> None:
    check(dashboard, pressed[TOGETHER.index(press)], press)


@pytest.mark.parametrize("press", REFUSED, ids=name_of)
def test_a_button_that_is_refused_fails_with_the_sentence(
    dashboard: Dashboard, press: Press
) -> None:
    check(dashboard, dashboard.press(press.deployment, **press.form), press)


@pytest.mark.soak
@pytest.mark.parametrize("press", ALONE, ids=name_of)
def test_a_button_is_carried_out_by_the_worker(
    dashboard: Dashboard, rebuilt_by_button: str, press: Press
) -> None:
    check(dashboard, dashboard.press(press.deployment, **press.form), press)


def check(dashboard: Dashboard, run_id: str, press: Press) -> None:
    run = dashboard.await_state(run_id)
    assert run["state_name"] == press.state, run["state"]
    assert run["name"].startswith(press.name)
    assert run["work_pool_name"] == "sigmasight"
    assert "Traceback" not in dashboard.await_log(run_id, press.says)


_NIGHT = """
from datetime import datetime
from zoneinfo import ZoneInfo
import flows.backfill as room
from ops.nightly import tonight
for day in (15, 16, 16):
    evening = datetime(2025, 7, day, 20, tzinfo=ZoneInfo("America/New_York"))
    room.tonight = lambda core, now: tonight(core, evening)
    state = room.backfill(last=None, return_state=True)
    print("ended as", state.type.value, state.name, "because", state.message)
"""


@pytest.mark.soak
def test_a_night_computes_the_session_that_has_ended_and_then_finds_nothing_new(
    dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    told = {**environment_of(dashboard.state), "PREFECT_API_URL": dashboard.api_url}
    nothing = "ended as COMPLETED nothing new because every session up to 2025-07-{}, the last one"
    said = dashboard.run("python", "-c", _NIGHT, **told)
    nights = [line for line in said.splitlines() if line.startswith("ended as")]
    endings = (nothing.format(15), "ended as COMPLETED Completed", nothing.format(16))
    for night, ending in zip(nights, endings, strict=True):
        assert night.startswith(ending), said


@pytest.mark.parametrize(
    ("deployment", "form"),
    [("backfill", {"mode": "some"}), ("backup", {"keep": "many"})],
)
def test_a_form_that_makes_no_sense_is_refused_before_any_run(
    dashboard: Dashboard, deployment: str, form: dict[str, Any]
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r"'409|'422"):
        dashboard.press(deployment, **form)


@pytest.mark.soak
def test_a_late_firing_of_the_cleanup_removes_nothing(
    dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    """As the schedule plans it, years ago, while no worker was there."""
    long_ago = {"scheduled_time": "2020-12-28T07:00:00Z"}
    planned = {"type": "SCHEDULED", "name": "Late", "state_details": long_ago}
    path = f"deployments/{dashboard.deployment('cleanup')['id']}/create_flow_run"
    late = dashboard.ask(path, {"parameters": {"execute": True}, "state": planned})
    run = dashboard.await_state(late["id"])
    assert run["state_name"] == "Completed", run["state"]
    dashboard.await_log(late["id"], "too early")
    assert EmbeddedDatabases(dashboard.state).server("legacy").process() is not None


@pytest.mark.soak
def test_a_run_whose_process_is_killed_is_crashed_at_once(
    dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    with phases_locked(dashboard):
        run_id = dashboard.press("backfill", **RANGE)
        dashboard.await_state(run_id, "RUNNING")
        kill_family(psutil.Process(int(dashboard.flow_run(run_id)["infrastructure_pid"])))
        run = dashboard.await_state(run_id, seconds=15)
    assert run["state_type"] == "CRASHED"
    again = dashboard.await_state(dashboard.press("backfill", **RANGE))
    assert again["state_type"] == "COMPLETED"  # the limit of one run is free again


@pytest.mark.soak
def test_no_password_is_written_anywhere(dashboard: Dashboard, rebuilt_by_button: str) -> None:
    assert files_with("worker", dashboard.home) >= {"worker.log"}  # it is searched
    assert files_with(dashboard.canary, dashboard.home) == {"secrets.json"}
    assert all(dashboard.canary not in said for said in dashboard.outputs)


@pytest.mark.soak
@pytest.mark.parametrize("whose", ["by_worker", "by_command"])
def test_the_server_marks_silent_runs_as_crashed(
    dashboard: Dashboard, rebuilt_by_button: str, killed: Killed, whose: str
) -> None:
    run = dashboard.await_state(getattr(killed, whose), seconds=60)
    assert run["state_type"] == "CRASHED"
    assert run["state"]["message"] == (
        "its process is gone; run the same command again to finish it"
    )
    marked = datetime.fromisoformat(run["state"]["timestamp"]) - killed.at
    assert marked < timedelta(seconds=SILENT_SECONDS + 20)


@pytest.mark.soak
def test_the_next_command_sets_the_usual_silence_again(
    dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    dashboard.run("sigmasight", "dashboard")
    (watch,) = dashboard.ask("automations/filter", {})
    assert (watch["name"], watch["trigger"]["within"]) == ("crashed runs", 90)
