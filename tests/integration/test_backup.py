"""A backup is a file that is whole, closed to others, and proved by restoring it."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.backup.content import Content, content_of, differences
from ops.backup.files import require_space, sha256_of
from ops.backup.programs import programs_for
from ops.backup.retention import forget_old
from ops.backup.run import backup
from ops.backup.scratch import source_of
from ops.books.backups import Backup, Database, known_backups, record_dump, record_restored
from ops.books.run_lock import exclusive_backup
from ops.connection import connect, conninfo
from ops.embedded.server import EmbeddedServer
from ops.errors import (
    BadInputError,
    BusyError,
    ConfigurationError,
    RefusedError,
    VerificationError,
)
from tests.groups import soaked

_SCRATCH = "SELECT datname FROM pg_database WHERE starts_with(datname::text, 'sigmasight_scratch')"

# Every kind of thing that a dump could forget or a restore could stumble on.
_FOREIGN = """
CREATE SCHEMA "Odd schema";
CREATE TYPE "Odd schema".mood AS ENUM ('calm', 'upset');
CREATE TABLE "Odd schema"."t" (t text, "a ""b" int GENERATED ALWAYS AS IDENTITY,
    mood "Odd schema".mood, n double precision, j json, b bytea, doubled int
    GENERATED ALWAYS AS (length(t) * 2) STORED);
INSERT INTO "Odd schema"."t" (t, mood, n, j, b) VALUES
    ('é', 'calm', 'NaN', '{"b": 1, "a": 2}', '\\x00ff'), ('', 'upset', 0.1, 'null', NULL),
    (NULL, NULL, '-Infinity', NULL, '');
CREATE TABLE empty ();
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1), (1);
CREATE TABLE parted (day date) PARTITION BY RANGE (day);
CREATE TABLE parted_2025 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO parted VALUES ('2025-07-01');
CREATE VIEW seen AS SELECT t FROM "Odd schema"."t";
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE TRIGGER closed BEFORE INSERT ON parted_2025 EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def foreign(scratch_database: URL) -> URL:
    with connect(scratch_database, application_name="tests") as session:
        session.execute(_FOREIGN)
    return scratch_database


def _scratch_databases(server: EmbeddedServer) -> list[str]:
    with connect(server.url(), application_name="tests") as session:
        return [name for (name,) in session.execute(_SCRATCH)]


def test_a_backup_is_whole_closed_to_others_and_recorded(
    server: EmbeddedServer, foreign: URL, core_url: URL, tmp_path: Path
) -> None:
    taken = backup(foreign, "legacy", tmp_path / "kept", core_url)
    assert [taken.file] == list((tmp_path / "kept").iterdir())
    assert stat.S_IMODE(taken.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(taken.file.parent.stat().st_mode) == 0o700
    assert taken.bytes == taken.file.stat().st_size > 0
    assert taken.sha256 == sha256_of(taken.file)
    assert taken.restored_at is not None
    assert known_backups(core_url, "legacy") == [taken]
    held = Content.from_json(taken.content)
    assert held.tables["Odd schema.t"].rows == 3
    assert held.tables["public.parent"].rows == 0, "a child's rows count once"
    assert held.objects["triggers"] == 1
    assert _scratch_databases(server) == []


def test_what_is_restored_from_the_file_is_what_was_dumped(
    foreign: URL, core_url: URL, tmp_path: Path, new_database: object
) -> None:
    taken = backup(foreign, "legacy", tmp_path, core_url)
    again = new_database()  # type: ignore[operator]
    words = ["--no-owner", str(taken.file)]
    with programs_for(18).start("pg_restore", words, again) as restore:
        restore.finish()
    with connect(again, application_name="tests") as session:
        assert differences(Content.from_json(taken.content), content_of(session)) == []
        assert session.execute(
            'SELECT doubled FROM "Odd schema".t WHERE t = %s', ["é"]
        ).fetchone() == (2,)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE \"Odd schema\".t SET t = 'other' WHERE t = 'é'", "table Odd schema.t"),
        ("UPDATE \"Odd schema\".t SET t = NULL WHERE t = ''", "table Odd schema.t"),
        ("DELETE FROM child WHERE ctid = (SELECT min(ctid) FROM child)", "table public.child"),
        ("DROP TABLE empty", "table public.empty"),
        ("CREATE TABLE more (x int)", "table public.more"),
        ("DROP VIEW seen", "number of views"),
        ("DROP TRIGGER closed ON parted_2025", "number of triggers"),
        ("ALTER TABLE parent DROP CONSTRAINT parent_pkey", "number of constraints"),
        ('SELECT setval(\'"Odd schema"."t_a ""b_seq"\', 1)', 'sequence Odd schema.t_a "b_seq'),
    ],
)
def test_the_comparison_sees_what_differs(foreign: URL, change: str, named: str) -> None:
    with connect(foreign, application_name="tests") as session:
        before = content_of(session)
        assert differences(before, content_of(session)) == []
        session.execute(change)  # type: ignore[call-overload]
        assert named in differences(before, content_of(session))


def test_a_database_without_the_schema_public_is_proved(
    scratch_database: URL, core_url: URL, tmp_path: Path
) -> None:
    with connect(scratch_database, application_name="tests") as session:
        session.execute("DROP SCHEMA public; CREATE SCHEMA own; CREATE TABLE own.kept (id int)")
    assert backup(scratch_database, "legacy", tmp_path, core_url).restored_at is not None


def test_a_database_that_is_written_to_meanwhile_compares_equal(
    core_url: URL, foreign: URL, tmp_path: Path
) -> None:
    with connect(foreign, application_name="tests") as session:
        session.execute("CREATE TABLE busy AS SELECT g AS x FROM generate_series(1, 20000) AS g")
    stop, written = threading.Event(), []

    def write() -> None:
        with connect(foreign, application_name="writer", autocommit=True) as session:
            while not stop.is_set():
                session.execute("INSERT INTO busy SELECT g FROM generate_series(1, 200) AS g")
                session.execute("INSERT INTO \"Odd schema\".t (t) VALUES ('more')")
                written.append(200)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = backup(foreign, "legacy", tmp_path, core_url)
    finally:
        stop.set()
        writer.join()
    held = Content.from_json(taken.content).tables["public.busy"].rows
    assert held < 20_000 + sum(written), "nothing was written after the snapshot"
    assert taken.restored_at is not None


@pytest.fixture
def plain_role(server: EmbeddedServer) -> Iterator[tuple[str, str]]:
    """A role that may read everything and make nothing; its password has every odd character."""
    name, password = "plain_reader", "p%40:/&?#'\"\\x"
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_read_all_data")
        session.execute(made.format(sql.Identifier(name), sql.Literal(password)))
        yield name, password
        session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.soak
def test_a_role_that_may_make_no_database_restores_on_a_server_of_ours(
    ai_url: URL, core_url: URL, plain_role: tuple[str, str], tmp_path: Path
) -> None:
    """The AI database needs the vector extension, which only a superuser can create."""
    name, password = plain_role
    url = ai_url.set(username=name, password=password)
    with connect(url, application_name="tests") as session:
        assert not source_of(session).own_rights
    before = set(Path("/tmp").glob("sigmasight-scratch-*"))
    taken = backup(url, "ai", tmp_path, core_url)
    assert taken.restored_at is not None
    assert set(Path("/tmp").glob("sigmasight-scratch-*")) == before


def test_what_is_read_only_by_default_is_proved_too(
    foreign: URL, core_url: URL, plain_role: tuple[str, str], tmp_path: Path
) -> None:
    """Set by hand on a role or a database so that nobody writes before a move."""
    name, password = plain_role
    with connect(foreign, application_name="tests") as session:
        session.execute(f"ALTER ROLE {name} CREATEDB")  # type: ignore[call-overload]
        session.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on")  # type: ignore[call-overload]
    taken = backup(foreign.set(username=name, password=password), "legacy", tmp_path, core_url)
    assert taken.restored_at is not None


def test_no_password_is_among_the_words_of_a_program(
    foreign: URL, core_url: URL, plain_role: tuple[str, str], tmp_path: Path
) -> None:
    name, password = plain_role
    url = foreign.set(username=name, password=password)
    with programs_for(18).start("pg_dump", ["--file=/dev/null"], url) as dump:
        words = " ".join(map(str, dump.process.args))  # type: ignore[arg-type]
        dump.finish()
    assert name in words
    assert password not in words
    assert quote(password) not in words
    assert str(url.render_as_string(hide_password=False)) not in words


def test_a_dump_that_cannot_be_restored_is_never_called_proved(
    server: EmbeddedServer, foreign: URL, core_url: URL, tmp_path: Path
) -> None:
    with connect(foreign, application_name="tests") as session:
        session.execute("CREATE TABLE fickle (id int)")
        session.execute("INSERT INTO fickle VALUES (1)")
        rule = "CREATE OR REPLACE FUNCTION holds(int) RETURNS boolean LANGUAGE sql AS 'SELECT {}'"
        session.execute(rule.format("true"))
        session.execute("ALTER TABLE fickle ADD CHECK (holds(id))")
        session.execute(rule.format("false"))
    with pytest.raises(VerificationError, match=r"pg_restore failed: .*fickle"):
        backup(foreign, "legacy", tmp_path, core_url)
    (found,) = known_backups(core_url, "legacy")
    assert found.restored_at is None
    assert found.file.is_file()
    assert _scratch_databases(server) == []


def test_the_program_that_fails_says_why_and_leaves_no_file(
    foreign: URL, core_url: URL, server: EmbeddedServer, tmp_path: Path
) -> None:
    with connect(foreign, application_name="tests", autocommit=True) as session:
        session.execute("CREATE ROLE blind LOGIN PASSWORD 'blind'")
        try:
            url = foreign.set(username="blind", password="blind")
            with pytest.raises(ConfigurationError, match="permission denied"):
                backup(url, "legacy", tmp_path, core_url)
        finally:
            session.execute("DROP ROLE blind")
    assert list(tmp_path.iterdir()) == []
    assert known_backups(core_url) == []


def test_a_disk_without_room_is_refused_in_one_line(tmp_path: Path) -> None:
    require_space({tmp_path: 1})
    with pytest.raises(RefusedError, match=r"MiB are free at .*BACKUP_FOLDER") as refused:
        require_space({tmp_path: 2**60, tmp_path.parent: 2**60})
    assert "\n" not in str(refused.value)


def test_programs_older_than_the_server_are_refused() -> None:
    assert programs_for(14).major_version >= 14
    assert programs_for(17).major_version == 18
    with pytest.raises(ConfigurationError, match="put pg_dump and pg_restore 99 on PATH"):
        programs_for(99)


def test_two_backups_of_one_database_never_run_at_once(
    foreign: URL, core_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.books.run_lock.WAIT_SECONDS", 0.2)
    with exclusive_backup(core_url, "legacy"), pytest.raises(BusyError):
        backup(foreign, "legacy", tmp_path, core_url)
    backup(foreign, "legacy", tmp_path, core_url)


_KILLED = """
import os, signal, sys
from pathlib import Path
from app.database_url import parse_database_url
from ops.backup import run, scratch
point, source, core, folder = sys.argv[1:]
def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(run, point, die)
run.backup(parse_database_url(source), "ai", Path(folder), parse_database_url(core))
"""


@pytest.mark.parametrize(
    ("point", "privileged"),
    [("content_of", True), ("_compare", True), *soaked(("_compare", False))],
)
def test_a_killed_backup_leaves_nothing_beyond_the_next_one(
    server: EmbeddedServer,
    ai_url: URL,
    core_url: URL,
    plain_role: tuple[str, str],
    tmp_path: Path,
    point: str,
    privileged: bool,
) -> None:
    name, password = plain_role
    url = ai_url if privileged else ai_url.set(username=name, password=password)
    words = [sys.executable, "-c", _KILLED, point, conninfo(url), conninfo(core_url), str(tmp_path)]
    assert subprocess.run(words).returncode == -signal.SIGKILL
    assert all(one.restored_at is None for one in known_backups(core_url))
    with _foreign_scratch(server) as foreign_name:
        taken = backup(url, "ai", tmp_path, core_url)
        assert taken.restored_at is not None
        assert _scratch_databases(server) == [foreign_name], "another's scratch is not ours"
    assert not list(tmp_path.glob("*.part"))
    mine = f"sigmasight-scratch-{os.geteuid()}-"
    assert [path for path in Path("/tmp").glob(f"{mine}*") if path.stat().st_uid == 0] == []


@contextmanager
def _foreign_scratch(server: EmbeddedServer) -> Iterator[str]:
    """A scratch database of another move on the same server."""
    name = "sigmasight_scratch_000000000000_00"
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield name
        session.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def recorded(core: URL, database: Database, folder: Path, *, proved: bool = True) -> Backup:
    """What the books hold of a backup that was taken just now; its file is empty."""
    file = folder / f"{database}-{uuid4()}.dump"
    file.touch()
    backup = record_dump(core, database, {}, file, "of the file", {}, datetime.now(UTC))
    if proved:
        record_restored(core, backup)
    return known_backups(core, database)[0]


def test_retention_keeps_the_newest_and_never_loses_the_last_proved(
    core_url: URL, tmp_path: Path
) -> None:
    taken = [recorded(core_url, "legacy", tmp_path) for _ in range(3)]
    other = recorded(core_url, "ai", tmp_path)
    stray = tmp_path / "legacy-by-hand.dump"
    stray.touch()
    assert forget_old(core_url, "legacy", tmp_path, keep=2) == [taken[0].file]
    # The two newest are not proved: what was proved last outlives any number.
    with connect(core_url, application_name="tests") as session:
        session.execute("UPDATE ops.backups SET restored_at = NULL WHERE id = %s", [taken[2].id])
    assert forget_old(core_url, "legacy", tmp_path, keep=1) == []
    with connect(core_url, application_name="tests") as session:
        session.execute("UPDATE ops.backups SET restored_at = NULL")
    assert forget_old(core_url, "legacy", tmp_path, keep=1) == []
    kept = {taken[1].file, taken[2].file, other.file, stray}
    assert set(tmp_path.iterdir()) == kept
    with pytest.raises(BadInputError):
        forget_old(core_url, "legacy", tmp_path, keep=0)


def test_a_proved_backup_outlives_an_older_unproved_one(core_url: URL, tmp_path: Path) -> None:
    unproved = recorded(core_url, "legacy", tmp_path, proved=False)
    proved = recorded(core_url, "legacy", tmp_path)
    assert forget_old(core_url, "legacy", tmp_path) == [unproved.file]
    assert proved.file.is_file()
    assert [one.id for one in known_backups(core_url, "legacy")] == [proved.id]


def test_every_table_of_the_hash_is_one_that_psycopg_sees(foreign: URL) -> None:
    """The hashes miss no table of the catalogue."""
    with connect(foreign, application_name="tests") as session:
        rows = session.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert {name for (name,) in rows} - {"public.parted"} == set(content_of(session).tables)
        assert isinstance(session, psycopg.Connection)
