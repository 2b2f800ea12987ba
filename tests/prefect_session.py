"""One Prefect server for all tests of a run that want one, because starting it takes many seconds;
and what it knows of a command's runs."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.prefect_server import START_SECONDS, PrefectServer, environment_of
from ops.state_folder import StateFolder

# Where the server of this run of the tests lives, told to the processes that share the work.
_HOME = "SIGMASIGHT_TESTS_PREFECT"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the server's home, in the process that began the run."""
    if not hasattr(config, "workerinput"):
        os.environ[_HOME] = tempfile.mkdtemp(prefix="sigmasight-tests-prefect-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that any process of the run has started."""
    if not hasattr(config, "workerinput"):
        state = StateFolder(Path(os.environ.pop(_HOME)))
        # A server that the environment names is nobody's to stop.
        os.environ.pop("PREFECT_API_URL", None)
        PrefectServer(state).stop()
        shutil.rmtree(state.root, ignore_errors=True)


def session_prefect(config: pytest.Config) -> PrefectServer:
    """The run's server, started by whichever process asks first."""
    state = StateFolder(Path(os.environ[_HOME]))
    with state.lock("tests"):
        if not (state.root / "prefect").exists():
            give_prefect_its_tables(state, config)
    return _started(PrefectServer(state))


def give_prefect_its_tables(state: StateFolder, config: pytest.Config) -> None:
    """Lay the database of a new server into a state folder, as its first start would make it.

    Making it takes longer than all else of that start, so one is kept for this version of Prefect.
    """
    kept = StateFolder(config.rootpath / ".pytest_cache" / f"prefect-{version('prefect')}")
    kept.create()
    with kept.lock("prefect"):
        if not (kept.root / "prefect").exists():
            _make_tables(StateFolder(kept.root / "new"))
            (kept.root / "new" / "prefect").rename(kept.root / "prefect")
    shutil.copytree(kept.root / "prefect", state.root / "prefect")


def _make_tables(state: StateFolder) -> None:
    shutil.rmtree(state.root, ignore_errors=True)  # an interrupted one's
    state.create()
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env={**os.environ, **environment_of(state)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _started(server: PrefectServer) -> PrefectServer:
    os.environ.pop("PREFECT_API_URL", None)
    with warnings.catch_warnings():
        # Nobody waits for the server's process here, as nobody does in production.
        warnings.simplefilter("ignore", ResourceWarning)
        server.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.answers():
        assert time.monotonic() < deadline, (server.state.root / "prefect.log").read_text()
        time.sleep(0.1)
    return server


def flow_runs_of(server: PrefectServer, pid: int) -> list[dict[str, Any]]:
    """The flow runs, children included, that the process `pid` of this machine began."""
    return [
        run
        for run in ask(server, "flow_runs/filter", {"sort": "START_TIME_DESC"})
        if f":{pid}:" in run["labels"].get("process", "")
    ]


def ask(server: PrefectServer, path: str, question: dict[str, Any]) -> Any:
    """Ask the server's API."""
    return sent(server, "POST", path, question).json()


def sent(server: PrefectServer, method: str, path: str, body: Any = None) -> httpx.Response:
    """A request that the server has carried out. It answers 503 while another process's writing
    keeps its database, as Prefect's own client knows."""
    address = f"{server.api_url}/{path}"
    deadline = time.monotonic() + 60
    while True:
        answer = httpx.request(method, address, json=body, timeout=30)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            answer.raise_for_status()
            return answer
        time.sleep(0.2)
