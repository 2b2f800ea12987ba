"""The background backend of a state folder, as a real process on real databases."""

import os
import signal
import socket
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy.engine import URL

from ops.backend.process import BackendUnavailableError, BackgroundBackend
from ops.connection import conninfo
from ops.state_folder import StateFolder

SECRET = "canary of the signing key, long enough"


@pytest.fixture
def environment(core_url: URL, ai_url: URL, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "SIGMASIGHT_HOME": str(tmp_path),
        "DATABASE_URL": conninfo(core_url),
        "AI_DATABASE_URL": conninfo(ai_url),
        "SECRET_KEY": SECRET,
    }


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[BackgroundBackend]:
    backend = BackgroundBackend(StateFolder(tmp_path))
    with warnings.catch_warnings():
        # Nobody waits for its process here, as nobody does in production.
        warnings.simplefilter("ignore", ResourceWarning)
        yield backend
        backend.stop()


def started(backend: BackgroundBackend, environment: dict[str, str]) -> int:
    backend.start(environment)
    backend.wait()
    process = backend.process()
    assert process is not None
    return process.pid


def test_it_serves_until_it_is_stopped(
    backend: BackgroundBackend, environment: dict[str, str]
) -> None:
    assert (backend.url, backend.ready(), backend.stop()) == (None, False, False)
    pid = started(backend, environment)
    assert backend.url is not None
    assert httpx.get(f"{backend.url}/ready").json()["status"] == "ready"
    assert backend.stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert (backend.url, backend.ready(), backend.stop()) == (None, False, False)


def test_what_serves_is_kept_and_what_is_stale_is_replaced(
    backend: BackgroundBackend, environment: dict[str, str]
) -> None:
    first = started(backend, environment)
    port = backend.state.read("backend")["port"]
    assert started(backend, environment) == first
    second = started(backend, environment | {"LOG_LEVEL": "WARNING"})
    assert second != first
    backend.state.update("backend", code="of yesterday")
    third = started(backend, environment | {"LOG_LEVEL": "WARNING"})
    assert third != second
    assert backend.state.read("backend")["port"] == port


def test_a_killed_or_hanging_one_is_replaced(
    backend: BackgroundBackend, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.backend.process._PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("ops.backend.process._STOP_SECONDS", 1.0)
    first = started(backend, environment)
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)], timeout=10)
    assert backend.url is None
    second = started(backend, environment)
    os.kill(second, signal.SIGSTOP)
    assert not backend.ready()
    third = started(backend, environment)
    assert len({first, second, third}) == 3


def test_a_stranger_with_its_number_is_left_alone(
    backend: BackgroundBackend, environment: dict[str, str]
) -> None:
    backend.state.write("backend", {"pid": os.getpid(), "port": 1})
    assert (backend.url, backend.stop()) == (None, False)
    other = BackgroundBackend(StateFolder(backend.state.root / "other"))
    other.state.create()
    pid = started(other, environment | {"SIGMASIGHT_HOME": str(other.state.root)})
    backend.state.write("backend", other.state.read("backend"))
    assert (backend.url, backend.stop()) == (None, False)
    assert psutil.pid_exists(pid)
    assert other.stop()


def test_a_taken_port_is_avoided(backend: BackgroundBackend, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        backend.state.write("backend", {"port": port})
        started(backend, environment)
        assert backend.url not in (None, f"http://127.0.0.1:{port}")


def test_its_secrets_are_nowhere_to_be_seen(
    backend: BackgroundBackend, environment: dict[str, str], core_url: URL
) -> None:
    pid = started(backend, environment)
    assert backend.url is not None
    wrong = {"email": "demo_individual@sigmasight.com", "password": "canary"}
    assert httpx.post(f"{backend.url}/api/v1/auth/login", json=wrong).status_code == 401
    assert stat.S_IMODE(backend.log.stat().st_mode) == 0o600
    command = " ".join(psutil.Process(pid).cmdline())
    for text in (command, backend.log.read_text(), str(backend.state.read("backend"))):
        assert "canary" not in text
        assert str(core_url.password) not in text


def test_one_that_cannot_serve_is_named_with_its_log(
    backend: BackgroundBackend,
    environment: dict[str, str],
    scratch_database: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.backend.process._PATIENCE_SECONDS", 0.5)
    backend.start(environment | {"DATABASE_URL": conninfo(scratch_database)})
    with pytest.raises(BackendUnavailableError, match=r"not ready: .*read .*backend\.log"):
        backend.wait()
    backend.start(environment | {"SECRET_KEY": "canary"})
    with pytest.raises(BackendUnavailableError, match=r"not there; read .*backend\.log"):
        backend.wait()
    said = backend.log.read_text()
    assert "error: SECRET_KEY: is too short" in said
    assert "canary" not in said
