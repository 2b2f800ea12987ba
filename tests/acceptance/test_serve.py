"""`sigmasight serve`, and the literal start command, as a deployment runs them."""

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from sqlalchemy.engine import URL

from app.chain_folders import PROJECT_ROOT
from ops.connection import connect
from ops.embedded.server import free_port
from ops.state_folder import StateFolder
from tests.acceptance.rebuilt import Rebuilt
from tests.acceptance.scene import PASSWORD, Environment, Scene
from tests.groups import soaked
from tests.integration.legacy_shape import make_legacy
from tests.integration.test_start_command import wait_for_sessions

PROGRAMS = Path(sys.executable).parent
LOCK = "hashtext('sigmasight migrations')"
SECRET = "a secret of these tests, long enough"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command with nothing but the environment given, in an empty folder."""
    processes: list[subprocess.Popen[str]] = []

    def run(words: list[str | Path], environment: Environment, folder: Path = tmp_path) -> object:
        given = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        processes.append(
            subprocess.Popen(
                words,
                env={**given, **{name: str(value) for name, value in environment.items()}},
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield run  # type: ignore[misc]
    for process in processes:
        process.kill()
        process.communicate()


def serve(start: Start, environment: Environment, port: int) -> subprocess.Popen[str]:
    return start([PROGRAMS / "sigmasight", "serve", "--port", str(port)], environment)


def answer(port: int, path: str, process: subprocess.Popen[str]) -> httpx.Response:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        except httpx.TransportError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
    raise AssertionError(f"nothing answers on port {port}")


def state_of(port: int, process: subprocess.Popen[str]) -> object:
    return answer(port, "/ready", process).json()["status"]


def tables(url: URL) -> int:
    with connect(url, application_name="tests") as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    return row[0] if row else 0


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_migrates_and_serves_until_a_signal(
    scene: Scene, start: Start, number: signal.Signals
) -> None:
    core, ai, port = scene.database(), scene.database(), free_port()
    pair = scene.pair(core, ai)
    process = serve(start, {**pair, "SECRET_KEY": SECRET}, port)
    assert state_of(port, process) == "ready"
    assert (tables(core), tables(ai)) == (38, 4)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    # uvicorn takes its leave, then ends by the signal that it was given.
    assert process.returncode in (0, -number), said
    assert "Application shutdown complete" in said
    assert "Traceback" not in said


@pytest.mark.soak
def test_it_serves_with_the_backends_role_and_migrates_with_the_owners(
    scene: Scene, start: Start
) -> None:
    core, ai, port = scene.database(), scene.database("ai"), free_port()
    app = scene.role(core)
    owner_url, app_pair = scene.pair(core, ai)["DATABASE_URL"], scene.pair(app, ai)
    environment = {**app_pair, "DATABASE_ADMIN_URL": owner_url, "SECRET_KEY": SECRET}
    process = serve(start, environment, port)
    assert answer(port, "/health", process).status_code == 200
    assert tables(core) == 38
    assert answer(port, "/ready", process).json()["databases"]["core"]["status"] != "ok"
    seen = Path(f"/proc/{process.pid}/environ")
    if seen.exists():
        told = seen.read_bytes().split(b"\0")
        assert any(variable.startswith(b"DATABASE_URL=") for variable in told)
        assert not any(variable.startswith(b"DATABASE_ADMIN_URL=") for variable in told)


@pytest.mark.soak
def test_tokens_outlive_it_by_the_state_folders_key(
    rebuilt: Rebuilt, start: Start, prefect_server: object
) -> None:
    """On the embedded databases of a rebuild, beside the backend that the rebuild left running."""
    port = free_port()
    process = serve(start, rebuilt.environment, port)
    assert state_of(port, process) == "ready"
    login = {
        "email": "demo_hnw@sigmasight.com",
        "password": rebuilt.environment["DEMO_PASSWORD"],
    }
    answered = httpx.post(f"http://127.0.0.1:{port}/api/v1/auth/login", json=login, timeout=30)
    token = answered.json()["access_token"]
    key = StateFolder(rebuilt.home).secret("backend_secret_key")
    assert jwt.decode(token, key, ["HS256"])["email"] == login["email"]
    command = Path(f"/proc/{process.pid}/cmdline")
    assert not command.exists() or key.encode() not in command.read_bytes()


@pytest.mark.soak
@pytest.mark.parametrize("legacy", [False, True], ids=["a new pair", "a legacy database"])
def test_two_may_start_at_once(scene: Scene, start: Start, legacy: bool) -> None:
    """Both are held at the lock of Core, then let go together."""
    core = scene.database()
    if legacy:
        make_legacy(core)
        environment: Environment = {"DATABASE_URL": scene.pair(core, core)["DATABASE_URL"]}
    else:
        environment = dict(scene.pair(core, scene.database()))
    environment["SECRET_KEY"] = SECRET
    ports = [free_port(), free_port()]
    with connect(core, application_name="tests", autocommit=True) as holder:
        holder.execute(f"SELECT pg_advisory_lock({LOCK})".encode())
        processes = [serve(start, environment, port) for port in ports]
        wait_for_sessions(core, 2)
    for port, process in zip(ports, processes, strict=True):
        assert state_of(port, process) == "ready"


@pytest.mark.soak
def test_the_literal_start_command_twice_at_once_on_an_empty_pair(
    scene: Scene, start: Start
) -> None:
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    words = ast.literal_eval(dockerfile.rpartition("CMD ")[2])
    core, ai = scene.database(), scene.database()
    ports = [free_port(), free_port()]
    environment = {**scene.pair(core, ai), "SECRET_KEY": SECRET}
    with connect(core, application_name="tests", autocommit=True) as holder:
        holder.execute(f"SELECT pg_advisory_lock({LOCK})".encode())
        processes = [
            start(words, {**environment, "PORT": str(port)}, PROJECT_ROOT) for port in ports
        ]
        wait_for_sessions(core, 2)
    for port, process in zip(ports, processes, strict=True):
        assert state_of(port, process) == "ready"
        process.terminate()
    said = [process.communicate(timeout=30)[1] for process in processes]
    assert (tables(core), tables(ai)) == (38, 4)
    assert sum(each.count("Running upgrade") for each in said) == 2
    # Through `exec` the signal reached the backend itself.
    assert all("Application shutdown complete" in each for each in said)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        *soaked(
            ({}, "error: DATABASE_URL: Field required"),
            (
                {"DATABASE_URL": f"mysql://u:{PASSWORD}@h/d"},
                "error: DATABASE_URL: has the scheme 'mysql'; only postgresql:// is supported",
            ),
            (
                {"DATABASE_URL": "postgresql://localhost/d", "SECRET_KEY": PASSWORD},
                "error: SECRET_KEY: is too short; use at least 32 random characters",
            ),
            (
                {"DATABASE_URL": "postgresql://localhost/d", "ENVIRONMENT": PASSWORD},
                "error: ENVIRONMENT: Input should be 'development' or 'production'",
            ),
        ),
        (
            {"DATABASE_URL": "postgresql://localhost/d", "ENVIRONMENT": "production"},
            "error: SECRET_KEY must be set in production; use 32 or more random characters",
        ),
    ],
    ids=["nothing", "scheme", "short key", "unknown environment", "production without a key"],
)
def test_a_wrong_environment_is_one_line_of_the_backend(
    start: Start, environment: Environment, line: str
) -> None:
    words = ["uvicorn", "app.main:app", "--app-dir", str(PROJECT_ROOT), "--port", str(free_port())]
    process = start(words, environment)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.splitlines() == [line]
    assert PASSWORD not in out + said
