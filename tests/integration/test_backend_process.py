"""The supervised backend of a state folder, as real processes on real databases."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from sqlalchemy.engine import URL

from ops.backend.environment import served_environment
from ops.backend.supervised import BackendUnavailableError, SupervisedBackend
from ops.connection import connect, conninfo
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder

SECRET = "canary of the signing key, long enough"
PAIR = "X-SigmaSight-Pair"
OLD = {"ACTIVE_PAIR": "old"}


@pytest.fixture
def environment(core_url: URL, ai_url: URL) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": conninfo(core_url),
        "AI_DATABASE_URL": conninfo(ai_url),
        "SECRET_KEY": SECRET,
        "ACTIVE_PAIR": "new",
    }


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SupervisedBackend]:
    backend = SupervisedBackend(StateFolder(tmp_path))
    yield backend
    backend.stop()


def started(backend: SupervisedBackend, environment: dict[str, str]) -> int:
    backend.start(environment)
    backend.wait()
    process = backend.process()
    assert process is not None
    return process.pid


@pytest.mark.soak
def test_it_serves_until_it_is_stopped(
    backend: SupervisedBackend, environment: dict[str, str]
) -> None:
    nothing = (None, False, False)
    assert (backend.url, backend.ready(), backend.stop()) == nothing
    pid = started(backend, environment)
    assert backend.url is not None
    assert httpx.get(f"{backend.url}/ready").json()["status"] == "ready"
    for path in ("/ready", "/nowhere", "/api/v1/auth/me"):
        assert httpx.get(f"{backend.url}{path}", timeout=30).headers[PAIR] == "new"
    assert backend.stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert (backend.url, backend.ready(), backend.stop()) == nothing


@pytest.mark.soak
def test_its_secrets_are_nowhere_to_be_seen(
    backend: SupervisedBackend, environment: dict[str, str], core_url: URL
) -> None:
    pid = started(backend, environment)
    supervisor = backend.supervisor()
    assert backend.url is not None
    assert supervisor is not None
    wrong = {"email": "demo_individual@sigmasight.com", "password": "canary"}
    assert httpx.post(f"{backend.url}/api/v1/auth/login", json=wrong).status_code == 401
    assert stat.S_IMODE(backend.log.stat().st_mode) == 0o600
    shown = [" ".join(psutil.Process(pid).cmdline()), " ".join(supervisor.cmdline())]
    shown.append(backend.log.read_text())
    for text in (*shown, str(backend.state.read("backend"))):
        assert "canary" not in text
        assert str(core_url.password) not in text


@pytest.mark.soak
def test_one_that_cannot_serve_is_named_with_its_log(
    backend: SupervisedBackend,
    environment: dict[str, str],
    scratch_database: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.backend.supervised._PATIENCE_SECONDS", 0.5)
    backend.start(environment | {"SECRET_KEY": "canary"})
    with pytest.raises(BackendUnavailableError, match=r"not there; read .*backend\.log"):
        backend.wait()
    said = backend.log.read_text()
    assert "error: SECRET_KEY: is too short" in said
    assert "canary" not in said
    empty = environment | {"DATABASE_URL": conninfo(scratch_database)}
    for given, words in (
        (empty, "core database is at no revision"),
        (empty | OLD, "LEGACY_SCHEMA"),
    ):
        backend.start(given)
        said = rf"not ready: its .*{words}.*; read .*backend\.log"
        with pytest.raises(BackendUnavailableError, match=said):
            backend.wait()


def test_a_database_that_is_a_little_late_is_waited_for_however_long_the_start_took(
    backend: SupervisedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    said = iter([("silent", 11.0), ("not ready", 1.0), ("not ready", 8.0), ("ready", 0.0)])

    def word(_backend: SupervisedBackend, _seconds: float) -> str:
        nonlocal now
        found, took = next(said)
        now += took
        return found

    monkeypatch.setattr(SupervisedBackend, "_word", word)
    monkeypatch.setattr(SupervisedBackend, "url", "http://backend")
    monkeypatch.setattr("ops.backend.supervised.time", SimpleNamespace(monotonic=lambda: now))
    assert backend.wait() == "http://backend"


def test_the_old_pair_is_served_without_core_and_nothing_is_written_to_it(
    backend: SupervisedBackend, old_shape: URL
) -> None:
    """Before the first swap Core is not production: a backend that holds both starts without it."""
    nowhere = "postgresql://nobody:none@127.0.0.1:1/core"
    settings = OperatorSettings(
        _env_file=None,  # type: ignore[call-arg]
        SIGMASIGHT_HOME=backend.state.root,
        DATABASE_URL=nowhere,
        AI_DATABASE_URL=nowhere,
        LEGACY_DATABASE_URL=conninfo(old_shape),
        SECRET_KEY=SECRET,
    )
    backend.start(served_environment(settings, both=True))
    answer = httpx.get(f"{backend.wait()}/ready")
    assert answer.headers[PAIR] == "old"
    assert {state["status"] for state in answer.json()["databases"].values()} == {"legacy"}
    with connect(old_shape, application_name="tests") as connection:
        rows = connection.execute("SELECT count(*) FROM ai_kb_documents").fetchone()
    assert rows == (0,)
    assert "knowledge base" not in backend.log.read_text()
