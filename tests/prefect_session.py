"""One Prefect server for all tests of a session that want one, because starting it takes seconds;
and what it knows of a command's runs."""

import os
import shutil
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from flows.prefect_server import START_SECONDS, PrefectServer, environment_of
from ops.state_folder import StateFolder

_SERVER: pytest.StashKey[PrefectServer] = pytest.StashKey()


def session_prefect(config: pytest.Config, folders: pytest.TempPathFactory) -> PrefectServer:
    """The session's server, started at the first call and stopped with the session."""
    if _SERVER not in config.stash:
        state = StateFolder(folders.mktemp("prefect"))
        give_prefect_its_tables(state, config)
        server = PrefectServer(state)
        config.add_cleanup(lambda: _stop(server))  # also one that comes up too late
        config.stash[_SERVER] = _started(server)
    return config.stash[_SERVER]


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


def _stop(server: PrefectServer) -> None:
    # A server that the environment names is nobody's to stop.
    os.environ.pop("PREFECT_API_URL", None)
    server.stop()


def _started(server: PrefectServer) -> PrefectServer:
    os.environ.pop("PREFECT_API_URL", None)
    server.state.create()
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
        if any(tag.startswith("process:") and f":{pid}:" in tag for tag in run["tags"])
    ]


def ask(server: PrefectServer, path: str, question: dict[str, Any]) -> Any:
    """Ask the server's API."""
    answer = httpx.post(f"{server.api_url}/{path}", json=question, timeout=30)
    answer.raise_for_status()
    return answer.json()
