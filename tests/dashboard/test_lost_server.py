"""The Prefect server dies while a phase runs: the command ends as its work does, and soon."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import cli
from flows.artifacts import rows_table
from flows.commands.output import out
from flows.console import show_own_lines
from flows.heartbeat import phase_flow
from flows.prefect_server import START_SECONDS, PrefectServer
from flows.retrying import phase_task
from ops.errors import RefusedError
from ops.settings import operator_settings
from ops.state_folder import StateFolder
from ops.waiting import wait_until
from tests.dashboard.dashboard import Dashboard

LOST = "warning: the Prefect server went away, so the run history does not say how this ended"


@pytest.fixture
def state(dashboard: Dashboard) -> Iterator[StateFolder]:
    """The dashboard's, with its server; nobody needs that after these tests."""
    server = PrefectServer(dashboard.state)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        server.start()
        assert wait_until(server.answers, START_SECONDS)
        yield dashboard.state


@phase_task("kill")
def _kill() -> None:
    server = PrefectServer(operator_settings().state)
    process = server._recorded.find()
    assert process is not None
    process.kill()
    assert wait_until(lambda: not server.runs(), 60)


@phase_flow("done")
def _done() -> str:
    _kill()
    rows_table("rows", "rows", [{"table": "users", "rows": 1}])
    return "done"


@phase_flow("refused")
def _refused() -> str:
    _kill()
    raise RefusedError("not done: it may not be")


@phase_flow("whole")
def _whole() -> str:
    _done()
    return _done()


def _as_command(work: Callable[[], object]) -> None:
    show_own_lines()
    setattr(cli, "app", lambda *_, **__: out().print(work(), soft_wrap=True))  # noqa: B010
    cli.main()


def done() -> None:
    _as_command(_done)


def refused() -> None:
    _as_command(_refused)


def cut_off() -> None:
    """The first part has ended well; the second cannot begin."""
    _as_command(_whole)


CUT_OFF = "error: the Prefect server went away before all was done; run the same command again"


@pytest.mark.parametrize(
    ("program", "says", "ends"),
    [
        (done, "done\n", []),
        pytest.param(refused, "", ["error: not done: it may not be"], marks=pytest.mark.soak),
        pytest.param(cut_off, "", [CUT_OFF], marks=pytest.mark.soak),
    ],
)
def test_what_was_done_counts_and_one_line_says_what_the_history_lacks(
    state: StateFolder,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    program: Callable[[], None],
    says: str,
    ends: list[str],
) -> None:
    ended = _ended(program, state, tmp_path, pytestconfig)
    assert (ended.returncode, ended.stdout) == (len(ends), says), ended
    assert [line for line in ended.stderr.splitlines() if "stopped" not in line] == [LOST, *ends]


def _ended(
    program: Callable[[], None], state: StateFolder, folder: Path, config: pytest.Config
) -> subprocess.CompletedProcess[str]:
    """In a process of its own from the start: those that others fork from know one server."""
    words = f"from {__name__} import {program.__name__} as program; program()"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(config.rootpath), str(Path(__file__).parent)]),
        "PREFECT_API_URL": PrefectServer(state).api_url or "",
        "PREFECT_HOME": str(folder / "prefect"),
        "SIGMASIGHT_HOME": str(state.root),
    }
    return subprocess.run(
        [sys.executable, "-c", words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
