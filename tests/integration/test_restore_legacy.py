"""A dump of the old database is restored into the empty one of a new installation, or refused with
nothing changed. The server is PostgreSQL 16, and the role is the owner that provisioning made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.backup.programs import programs_for
from ops.backup.restore import held, refuse_newer, restore
from ops.connection import connect, conninfo
from ops.embedded.server import EmbeddedServer
from ops.errors import SigmaSightError
from ops.provision import APP, OWNER, DatabaseSpec, Passwords, provision
from ops.write_lock.lock import lock_and_prove, lock_state, release_lock
from tests.conftest import running_server

PASSWORDS = Passwords("of the owner", "of the app", "of readers")
_OLD = """
CREATE ROLE someone;
CREATE SCHEMA apart;
CREATE EXTENSION vector;
CREATE TABLE users (id serial PRIMARY KEY, email text, liking vector(2));
ALTER TABLE users OWNER TO someone;
GRANT SELECT ON users TO someone;
COMMENT ON EXTENSION vector IS 'anything';
INSERT INTO users (email, liking) VALUES ('ann@example.com', '[1,2]'), ('é', NULL);
CREATE TABLE portfolios (user_id int REFERENCES users);
INSERT INTO portfolios VALUES (1), (1), (2);
CREATE VIEW positions AS SELECT 'AAPL' AS symbol;
CREATE TABLE apart.prices (close numeric);
"""


def dump(url: URL, version: int, file: Path, *options: str) -> Path:
    with programs_for(version).start("pg_dump", [*options, f"--file={file}"], url) as running:
        running.finish()
    return file


@pytest.fixture(scope="module")
def there() -> Iterator[EmbeddedServer]:
    """A server with an old database, `old`, that another role owns."""
    with running_server(16) as server:
        with connect(server.url(), application_name="tests", autocommit=True) as session:
            session.execute("CREATE DATABASE old")
        with connect(server.url("old"), application_name="tests") as session:
            session.execute(_OLD)
        yield server


@pytest.fixture(scope="module")
def dumped(there: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dumps") / "old.dump"
    return dump(there.url("old"), 16, file, "--format=custom")


@pytest.fixture
def legacy(there: EmbeddedServer) -> URL:
    """The owner's address of a database that was provisioned just now."""
    with connect(there.url(), application_name="tests", autocommit=True) as session:
        session.execute("DROP DATABASE IF EXISTS sigmasight")
    provision(there.url, DatabaseSpec("sigmasight", None, ("vector",)), PASSWORDS)
    return there.url("sigmasight").set(username=OWNER, password=PASSWORDS.owner)


def test_a_dump_is_restored_as_the_owners_and_the_backend_may_write(
    legacy: URL, dumped: Path
) -> None:
    restore(dumped, legacy)
    assert held(legacy) == {"tables": 3, "rows": 5}
    app = legacy.set(username=APP, password=PASSWORDS.app)
    with connect(app, application_name="tests") as session:
        session.execute("INSERT INTO users (email) VALUES ('new')")
        owners = session.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('users', 'portfolios')"
        ).fetchall()
        assert owners == [(OWNER,)]
    with pytest.raises(SigmaSightError, match="is not empty: it holds 3 tables, such as apart"):
        restore(dumped, legacy)
    assert held(legacy) == {"tables": 3, "rows": 6}


def test_a_dump_of_one_schema_fills_the_one_that_is_there(
    legacy: URL, there: EmbeddedServer, tmp_path: Path
) -> None:
    options = ("--format=custom", "--schema=public")
    restore(dump(there.url("old"), 16, tmp_path / "public", *options), legacy)
    assert held(legacy) == {"tables": 2, "rows": 5}


@pytest.mark.parametrize(("swapped", "state"), [(False, "open"), (True, "locked")])
def test_the_lock_of_a_dump_is_restored_where_users_have_left_alone(
    swapped: bool, state: str, legacy: URL, there: EmbeddedServer, tmp_path: Path
) -> None:
    old = there.url("old")
    lock_and_prove(old)
    file = dump(old, 16, tmp_path / "locked", "--format=custom")
    release_lock(old)
    restore(file, legacy, locked=swapped)
    assert lock_state(legacy).state == state


def dumped_with(*options: str) -> Callable[[Path, EmbeddedServer, Path], Path]:
    return lambda _, there, folder: dump(
        there.url("old"), 16, folder / "part", "--format=custom", *options
    )


def of_a_role_that_is_gone(_: Path, there: EmbeddedServer, folder: Path) -> Path:
    with connect(there.url("old"), application_name="tests", autocommit=True) as session:
        session.execute("CREATE ROLE gone")
        session.execute("CREATE POLICY readers ON users TO gone USING (true)")
        file = dump(there.url("old"), 16, folder / "roles", "--format=custom")
        session.execute("DROP POLICY readers ON users")
        session.execute("DROP ROLE gone")
    return file


def plain(_: Path, there: EmbeddedServer, folder: Path) -> Path:
    return dump(there.url("old"), 16, folder / "old.sql")


def cut(dumped: Path, _: EmbeddedServer, folder: Path) -> Path:
    (folder / "cut").write_bytes(dumped.read_bytes()[:-30])
    return folder / "cut"


def headless(dumped: Path, _: EmbeddedServer, folder: Path) -> Path:
    (folder / "headless").write_bytes(dumped.read_bytes()[:40])
    return folder / "headless"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (plain, "old.sql is no dump in pg_dump's custom format; make one by `pg_dump --format"),
        (lambda *_: Path("none"), "none cannot be read (No such file or directory); name a file"),
        (lambda *where: where[2], "cannot be read (Is a directory); name a file of `pg_dump --f"),
        (dumped_with("--schema=apart"), "it does not make portfolios, positions, users, market"),
        (dumped_with("--data-only"), "it does not make portfolios, positions, users, market"),
        (dumped_with("--schema-only"), "part holds no rows; make it by `pg_dump --format=custom`"),
        (headless, "headless cannot be read (pg_restore: error: could not read from input file"),
        (of_a_role_that_is_gone, 'role "gone" does not exist; have a superuser of the old'),
        (cut, "pg_restore failed: pg_restore: error: "),
    ],
)
def test_what_cannot_be_restored_leaves_the_database_empty(
    made: Callable[[Path, EmbeddedServer, Path], Path],
    said: str,
    legacy: URL,
    dumped: Path,
    there: EmbeddedServer,
    tmp_path: Path,
) -> None:
    with pytest.raises(SigmaSightError) as refusal:
        restore(made(dumped, there, tmp_path), legacy)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert held(legacy) == {"tables": 0, "rows": 0}


def test_a_dump_of_a_newer_server_is_refused(
    legacy: URL, scratch_database: URL, tmp_path: Path
) -> None:
    file = dump(scratch_database, 18, tmp_path / "newer", "--format=custom")
    with pytest.raises(SigmaSightError, match=r"in file header.; make it by pg_dump 16 or older$"):
        restore(file, legacy)
    said = "is of PostgreSQL 18 and the old database's server is 17; restore it into one as new"
    with pytest.raises(SigmaSightError, match=said):
        refuse_newer(file, programs_for(18), 17)


def command(legacy: URL, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    given = {"DATABASE_URL": legacy.set(database="core"), "LEGACY_DATABASE_URL": legacy}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        env={
            **os.environ,
            "SIGMASIGHT_HOME": str(home),
            **{name: conninfo(url) for name, url in given.items()},
        },
        capture_output=True,
        text=True,
    )


def test_the_command_says_what_the_database_holds_then(
    legacy: URL, dumped: Path, tmp_path: Path
) -> None:
    done = command(legacy, tmp_path, "restore-legacy", str(dumped), "--json")
    assert json.loads(done.stdout) == {"tables": 3, "rows": 5, "next": "sigmasight assess"}


@pytest.mark.soak
def test_the_demo_is_there_for_those_who_have_no_dump(legacy: URL, tmp_path: Path) -> None:
    done = command(legacy, tmp_path, "restore-legacy", "--demo")
    assert done.stdout.startswith("filled: ")
    assert held(legacy)["rows"] > 30_000
