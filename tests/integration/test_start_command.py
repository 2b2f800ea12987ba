"""The start command of a deployment, typed literally, with nothing but the environment set."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from app.chain_folders import PROJECT_ROOT
from ops.connection import connect, conninfo
from ops.embedded.server import EmbeddedServer, free_port
from tests.databases import NewDatabase
from tests.groups import soaked
from tests.integration.forked_alembic import Run, arguments, forked_alembic

CORE_INI, AI_INI = "alembic.ini", "alembic_ai.ini"
LOCK = "hashtext('sigmasight migrations')"


def environment(core: URL | None = None, ai: URL | None = None, **more: URL) -> dict[str, str]:
    """Only what a deployment sets: no setting of the person who runs the tests."""
    urls = {"DATABASE_URL": core, "AI_DATABASE_URL": ai, **more}
    given = {name: conninfo(url) for name, url in urls.items() if url is not None}
    return {"PATH": os.environ["PATH"], **given}


def start(ini: str, env: dict[str, str], folder: Path, *words: str) -> subprocess.Popen[str]:
    # In an empty folder, since settings are also read from a `.env` in the current one.
    alembic = Path(sys.executable).parent / "alembic"
    return subprocess.Popen(
        [alembic, *arguments(ini, *words)],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    ini: str, env: dict[str, str], folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    process = start(ini, env, folder, *words)
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def upgrade_both(
    env: dict[str, str], folder: Path, run: Run = run
) -> list[subprocess.CompletedProcess[str]]:
    return [run(ini, env, folder) for ini in (CORE_INI, AI_INI)]


@pytest.fixture(scope="module")
def forked() -> Iterator[Run]:
    """The command as `run` runs it, in a process that need not import everything first."""
    with forked_alembic() as alembic:
        yield alembic


def tables(url: URL) -> list[str]:
    with connect(url, application_name="tests") as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
    return [str(row[0]) for row in rows]


def fingerprint(url: URL) -> list[tuple[object, ...]]:
    """Every object of the database with the transaction that last changed its catalogue row."""
    with connect(url, application_name="tests") as connection:
        return connection.execute(
            "SELECT relname, relkind, xmin::text FROM pg_class WHERE oid >= 16384 ORDER BY 1, 2"
        ).fetchall()


@pytest.mark.soak
def test_a_new_pair_is_built_and_checked_clean(new_database: NewDatabase, tmp_path: Path) -> None:
    core, ai = new_database(), new_database()
    env = environment(core, ai)
    assert [done.returncode for done in upgrade_both(env, tmp_path)] == [0, 0]
    assert (len(tables(core)), len(tables(ai))) == (38, 4)
    for ini in (CORE_INI, AI_INI):
        checked = run(ini, env, tmp_path, "check")
        assert checked.returncode == 0, checked.stdout
        assert "No new upgrade operations" in checked.stdout + checked.stderr


@pytest.mark.soak
def test_one_shared_database_is_built_and_checked_clean(
    scratch_database: URL, tmp_path: Path, forked: Run
) -> None:
    env = environment(scratch_database)
    assert [done.returncode for done in upgrade_both(env, tmp_path, forked)] == [0, 0]
    built = tables(scratch_database)
    assert len(built) == 37 + 3 + 2
    assert {"alembic_version", "alembic_version_ai"} <= set(built)
    for ini in (CORE_INI, AI_INI):
        assert forked(ini, env, tmp_path, "check").returncode == 0
    assert [done.returncode for done in upgrade_both(env, tmp_path, forked)] == [0, 0]


def test_a_check_sees_what_is_missing(core_url: URL, tmp_path: Path, forked: Run) -> None:
    with connect(core_url, application_name="tests", autocommit=True) as connection:
        connection.execute("DROP INDEX idx_market_data_valid_prices")
    checked = forked(CORE_INI, environment(core_url, core_url), tmp_path, "check")
    assert checked.returncode != 0
    assert "idx_market_data_valid_prices" in checked.stdout


def test_the_old_pairs_database_is_left_alone_while_it_is_empty(
    scratch_database: URL, tmp_path: Path, forked: Run
) -> None:
    """A stack's old database before its dump is restored: the restore must find it empty."""
    env = {**environment(scratch_database), "ACTIVE_PAIR": "old"}
    before = fingerprint(scratch_database)
    for done in upgrade_both(env, tmp_path, forked):
        assert (done.returncode, "leaves it as it is" in done.stdout) == (0, True), done
    assert fingerprint(scratch_database) == before


def test_a_backend_at_the_gate_migrates_the_new_pair_alone(
    new_database: NewDatabase, old_shape: URL, tmp_path: Path, forked: Run
) -> None:
    core, ai = new_database(), new_database()
    before = fingerprint(old_shape)
    env = {**environment(core, ai, LEGACY_DATABASE_URL=old_shape), "ACTIVE_PAIR": "gate"}
    assert [done.returncode for done in upgrade_both(env, tmp_path, forked)] == [0, 0]
    assert (len(tables(core)), len(tables(ai))) == (38, 4)
    assert fingerprint(old_shape) == before


@pytest.mark.parametrize(
    "ai_too", [False, *soaked(True)], ids=["without AI_DATABASE_URL", "with it"]
)
def test_a_legacy_database_is_left_as_it_is(
    ai_too: bool, old_shape: URL, tmp_path: Path, forked: Run
) -> None:
    before = fingerprint(old_shape)
    env = environment(old_shape, old_shape if ai_too else None)
    for done in upgrade_both(env, tmp_path, forked):
        assert done.returncode == 0
        assert done.stdout.count("\n") == 1
        assert "is a legacy database" in done.stdout
        assert "Traceback" not in done.stderr
    assert fingerprint(old_shape) == before


@pytest.mark.parametrize("words", [("downgrade", "base"), *soaked((("check",),), (("current",),))])
def test_nothing_but_the_start_command_runs_on_a_legacy_database(
    words: tuple[str, ...], old_shape: URL, tmp_path: Path, forked: Run
) -> None:
    done = forked(CORE_INI, environment(old_shape), tmp_path, *words)
    assert_refused(done, "is a legacy database")


def assert_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode != 0
    assert done.stdout.startswith("FAILED: ")
    assert done.stdout.count("\n") == 1
    assert reason in done.stdout
    assert "Traceback" not in done.stderr
    assert reason not in done.stderr


def test_the_halves_of_a_pair_taken_for_each_other_are_refused(
    core_url: URL, ai_url: URL, tmp_path: Path, forked: Run
) -> None:
    before = fingerprint(core_url), fingerprint(ai_url)
    core, ai = upgrade_both(environment(ai_url, core_url), tmp_path, forked)
    assert_refused(core, "this is the AI half of a pair")
    assert_refused(ai, "this is the Core half of a pair")
    assert (fingerprint(core_url), fingerprint(ai_url)) == before


def test_a_core_half_does_not_become_shared_when_the_ai_address_is_forgotten(
    core_url: URL, tmp_path: Path, forked: Run
) -> None:
    assert_refused(forked(AI_INI, environment(core_url), tmp_path), "the Core half of a pair")


def test_somebody_elses_database_is_refused(scratch_database: URL, tmp_path: Path) -> None:
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (id int)")
    done = run(CORE_INI, environment(scratch_database), tmp_path)
    assert_refused(done, "already holds tables that no chain made (customers)")
    assert tables(scratch_database) == ["customers"]


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({}, "DATABASE_URL: Field required"),
        ({"DATABASE_URL": "mysql://u:canary@host/db"}, "only postgresql:// is supported"),
        ({"DATABASE_URL": "postgresql://u:canary@127.0.0.1:1/db"}, "127.0.0.1:1/db"),
    ],
)
def test_a_wrong_address_is_one_line(
    env: dict[str, str], reason: str, tmp_path: Path, forked: Run
) -> None:
    done = forked(CORE_INI, environment() | env, tmp_path)
    assert_refused(done, reason)
    assert "canary" not in done.stdout + done.stderr


def test_the_admin_address_is_the_one_that_migrates(
    scratch_database: URL, tmp_path: Path, forked: Run
) -> None:
    nobody = scratch_database.set(username="nobody", password="nothing")
    env = environment(nobody, DATABASE_ADMIN_URL=scratch_database)
    assert forked(CORE_INI, env, tmp_path).returncode == 0
    assert len(tables(scratch_database)) == 38


@pytest.mark.soak
def test_a_password_of_special_characters_works_and_is_never_printed(
    server: EmbeddedServer, new_database: NewDatabase, tmp_path: Path, forked: Run
) -> None:
    password = "ca%na@ry:/ %(x)s?#"
    core = new_database()
    with connect(core, application_name="tests", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE special LOGIN PASSWORD {}").format(sql.Literal(password))
        )
        connection.execute("GRANT CREATE ON SCHEMA public TO special")
    env = environment(core.set(username="special", password=password))
    encoded = env["DATABASE_URL"].partition("special:")[2].rpartition("@")[0]
    outputs = [
        forked(CORE_INI, env, tmp_path),
        forked(CORE_INI, env, tmp_path, "upgrade", "head", "--sql"),
        forked(CORE_INI, env | {"DATABASE_URL": f"{env['DATABASE_URL']}_absent"}, tmp_path),
    ]
    assert [done.returncode == 0 for done in outputs] == [True, True, False]
    for done in outputs:
        printed = done.stdout + done.stderr
        assert not any(secret in printed for secret in (password, encoded, "na@ry", "ca%"))
    assert len(tables(core)) == 38


@pytest.mark.parametrize("ini", [CORE_INI, *soaked(AI_INI)])
def test_offline_needs_no_server(ini: str, tmp_path: Path, forked: Run) -> None:
    nowhere = URL.create("postgresql", "u", "canary", "127.0.0.1", 1, "nowhere")
    done = forked(ini, environment(nowhere, nowhere), tmp_path, "upgrade", "head", "--sql")
    assert done.returncode == 0
    assert "INSERT INTO alembic_version" in done.stdout
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.soak
def test_two_instances_may_start_at_once(scratch_database: URL, tmp_path: Path) -> None:
    """Both are held at the lock, then let go together: one works, the other finds it done."""
    env = environment(scratch_database)
    with connect(scratch_database, application_name="tests", autocommit=True) as holder:
        holder.execute(f"SELECT pg_advisory_lock({LOCK})")
        instances = [start(CORE_INI, env, tmp_path) for _ in range(2)]
        wait_for_sessions(scratch_database, 2)
    outputs = [instance.communicate(timeout=120)[1] for instance in instances]
    assert [instance.returncode for instance in instances] == [0, 0]
    assert sum("Running upgrade" in output for output in outputs) == 1
    assert len(tables(scratch_database)) == 38


def wait_for_sessions(url: URL, count: int) -> None:
    deadline = time.monotonic() + 60
    with connect(url, application_name="tests", autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'sigmasight migrations'"
            ).fetchone()
            if row is not None and row[0] == count:
                return
            time.sleep(0.05)
    raise AssertionError(f"{count} migrations did not reach the database")


def test_a_backend_role_starts_at_head(
    core_url: URL, ai_url: URL, tmp_path: Path, forked: Run
) -> None:
    for url in (core_url, ai_url):
        with connect(url, application_name="tests", autocommit=True) as connection:
            connection.execute(
                "DO $$ BEGIN CREATE ROLE starter LOGIN PASSWORD 'pass'; "
                "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
            connection.execute("GRANT SELECT ON alembic_version TO starter")
    as_starter = [url.set(username="starter", password="pass") for url in (core_url, ai_url)]
    done = upgrade_both(environment(*as_starter), tmp_path, forked)
    assert [each.returncode for each in done] == [0, 0]


@pytest.mark.soak
def test_the_loggers_of_a_calling_program_stay_enabled(
    scratch_database: URL, tmp_path: Path
) -> None:
    program = (
        "import logging, sys; from alembic.config import main; "
        "logger = logging.getLogger('prefect.flow_runs'); "
        f"main(['-c', {str(PROJECT_ROOT / CORE_INI)!r}, 'upgrade', 'head']); "
        "sys.exit(int(logger.disabled))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(scratch_database),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
@pytest.mark.parametrize("where", ["a new pair", "one shared database", "a legacy database"])
def test_the_literal_command_ends_with_a_backend_that_serves(
    where: str, new_database: NewDatabase, old_shape_template: str
) -> None:
    core = new_database(old_shape_template if where == "a legacy database" else None)
    ai = new_database() if where == "a new pair" else None
    port = str(free_port())
    command = (
        "alembic -c alembic.ini upgrade head && alembic -c alembic_ai.ini upgrade head"
        " && exec uvicorn app.main:app --host 127.0.0.1 --port $PORT"
    )
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**environment(core, ai), "PATH": programs, "PORT": port}
    with subprocess.Popen(["sh", "-c", command], env=env, cwd=PROJECT_ROOT) as backend:
        try:
            assert served(f"http://127.0.0.1:{port}/health") == {"status": "healthy"}
        finally:
            backend.terminate()


def served(address: str) -> object:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return httpx.get(address, timeout=2).json()
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {address}")
