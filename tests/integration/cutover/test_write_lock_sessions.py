"""The write lock beside other sessions: readers do not notice it, writers wait and are refused."""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect, conninfo
from ops.embedded.account import server_account
from ops.embedded.binaries import program_folder
from ops.embedded.server import EmbeddedServer
from ops.errors import BusyError, RefusedError
from ops.write_lock.lock import (
    lock_state,
    lock_writes,
    release_lock,
    release_lock_in,
)
from ops.write_lock.proof import Attempt
from tests.databases import create_database
from tests.integration.cutover.conftest import Ask
from tests.integration.cutover.locking import (
    EVERYTHING,
    REFUSED,
    killed_at_the_end,
    lock,
    outcomes,
    prove,
)

NOT_TRIED = Attempt("plain", "TRUNCATE", "not tried")


def test_readers_read_beside_the_open_transaction(lockable: URL, ask: Ask) -> None:
    with connect(lockable, application_name="tests") as connection:
        lock_writes(connection)
        prove(connection)
        assert ask(lockable, "SELECT count(*) FROM parts") == [(2,)]
        assert b"CREATE TABLE public.plain" in _dump(lockable)
        with (
            connect(lockable, application_name="tests") as reader,
            reader.cursor().copy("COPY plain TO STDOUT") as rows,
        ):
            assert b"".join(bytes(row) for row in rows) == b"1\tkept\n"
        connection.rollback()
    assert lock_state(lockable).state == "open"


def _dump(url: URL) -> bytes:
    account = server_account()
    return subprocess.run(
        [str(program_folder(account) / "pg_dump"), "--no-sync", conninfo(url)],
        check=True,
        capture_output=True,
        timeout=60,
        **account.popen_options(),
    ).stdout


def test_a_reader_at_work_only_keeps_truncate_from_being_tried(lockable: URL) -> None:
    with connect(lockable, application_name="tests") as reader:
        reader.execute("SELECT * FROM plain")
        with connect(lockable, application_name="tests") as connection:
            lock_writes(connection)
            proof = prove(connection)
        assert [one for one in proof if one.outcome != "trigger"] == [NOT_TRIED]
    with connect(lockable, application_name="tests") as connection:
        assert outcomes(prove(connection)) == {"trigger": 36}


def test_a_reader_who_waits_to_write_is_no_deadlock_of_the_proof(lockable: URL, ask: Ask) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        connect(lockable, application_name="tests") as writer,
        connect(lockable, application_name="tests") as connection,
    ):
        writer.execute("SELECT * FROM plain")
        lock_writes(connection)
        waiting = pool.submit(writer.execute, "INSERT INTO plain (name) VALUES ('late')")
        _until(lambda: ask(lockable, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        proof = prove(connection)
        connection.rollback()
        waiting.result(10)
    assert [one for one in proof if one.outcome != "trigger"] == [NOT_TRIED]


def test_who_reads_a_locked_database_does_not_keep_it_from_being_locked_again(
    lockable: URL,
) -> None:
    lock(lockable)
    with ThreadPoolExecutor(1) as pool, connect(lockable, application_name="dump") as reader:
        reader.execute("SELECT FROM sigmasight_cutover.lock, sigmasight_cutover.revoked")
        pool.submit(lock, lockable).result(30)


def test_a_writer_that_waits_when_the_lock_commits_is_refused(lockable: URL, ask: Ask) -> None:
    with connect(lockable, application_name="tests") as locker, ThreadPoolExecutor(1) as pool:
        lock_writes(locker)
        waiting = pool.submit(ask, lockable, "INSERT INTO plain (name) VALUES ('late')")
        _until(lambda: ask(lockable, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        locker.commit()
        with pytest.raises(psycopg.Error, match=REFUSED):
            waiting.result(10)
    assert ask(lockable, "SELECT name FROM plain") == [("kept",)]


def test_a_waiting_prepared_writer_is_refused_too(lockable: URL, ask: Ask) -> None:
    with (
        connect(lockable, application_name="tests", autocommit=True) as writer,
        connect(lockable, application_name="tests") as locker,
        ThreadPoolExecutor(1) as pool,
    ):
        insert = "INSERT INTO child (note) VALUES (%s)"
        for _ in range(3):
            writer.execute(insert, ["early"], prepare=True)
        lock_writes(locker)
        waiting = pool.submit(writer.execute, insert, ["late"], prepare=True)
        _until(lambda: ask(lockable, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        locker.commit()
        with pytest.raises(psycopg.Error, match=REFUSED):
            waiting.result(10)
    assert ask(lockable, "SELECT count(*) FROM child") == [(3,)]


def test_waits_for_an_open_write_and_says_whose_it_is(lockable: URL, ask: Ask) -> None:
    before = ask(lockable, EVERYTHING)
    with (
        connect(lockable, application_name="reader") as reader,
        connect(lockable, application_name="clerk") as writer,
    ):
        reader.isolation_level = psycopg.IsolationLevel.SERIALIZABLE  # keeps nobody from locking
        reader.execute("SELECT FROM plain")
        writer.execute("UPDATE plain SET name = 'in time'")
        with (
            connect(lockable, application_name="tests") as connection,
            pytest.raises(BusyError, match=r"session \d+ \(sigmasight clerk\) uses 'plain'"),
        ):
            lock_writes(connection, patience_seconds=0.1)
        assert ask(lockable, EVERYTHING) == before
        with ThreadPoolExecutor(1) as pool:
            locking = pool.submit(lock, lockable)
            time.sleep(0.2)
            writer.commit()
            locking.result(10)
    assert lock_state(lockable).state == "locked"
    assert ask(lockable, "SELECT name FROM plain") == [("in time",)]


def test_a_release_waits_for_readers_and_says_who_they_are(lockable: URL) -> None:
    lock(lockable)
    with connect(lockable, application_name="reader") as reader:
        reader.execute("SELECT * FROM plain")
        with (
            connect(lockable, application_name="tests") as connection,
            pytest.raises(BusyError, match=r"\(sigmasight reader\) uses 'plain'"),
        ):
            release_lock_in(connection, patience_seconds=0.1)
        assert lock_state(lockable).state == "locked"
    release_lock(lockable)
    assert lock_state(lockable).state == "open"


def test_a_killed_swap_leaves_nothing_locked(lockable: URL, ask: Ask) -> None:
    def lock_and_wait(then: Callable[[], None]) -> None:
        with connect(lockable, application_name="tests") as connection:
            lock_writes(connection)
            prove(connection)
            then()

    before = ask(lockable, EVERYTHING)
    with killed_at_the_end(lock_and_wait):
        pass
    ask(lockable, "SET lock_timeout = '10s'; UPDATE plain SET name = name")
    assert ask(lockable, EVERYTHING) == before


def test_every_table_of_an_old_database_is_locked_and_proved(old_shape: URL) -> None:
    with connect(old_shape, application_name="tests") as connection:
        report = lock_writes(connection)
        assert report.tables == len({one.table for one in prove(connection)}) == 42


@pytest.mark.soak
def test_an_autovacuum_gives_way(own_server: EmbeddedServer) -> None:
    url = create_database(own_server)
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE big WITH (autovacuum_vacuum_threshold = 1, autovacuum_enabled = true,"
            " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,"
            " autovacuum_vacuum_cost_limit = 1) AS SELECT g FROM generate_series(1, 50000) AS g"
        )
        connection.execute("DELETE FROM big WHERE g % 2 = 0")
        progress = "SELECT 1 FROM pg_stat_progress_vacuum WHERE relid = 'big'::regclass"
        _until(lambda: connection.execute(progress).fetchone() is not None, 30)
        started = time.perf_counter()
        lock(url)
        assert time.perf_counter() - started < 15  # the autovacuum takes half a minute
        assert lock_state(url).state == "locked"


def test_a_prepared_transaction_is_named_as_what_no_waiting_ends(
    own_server: EmbeddedServer,
) -> None:
    url = create_database(own_server)
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id int)")
        connection.execute("BEGIN; INSERT INTO plain VALUES (1); PREPARE TRANSACTION 'forgotten'")
        try:
            with (
                connect(url, application_name="tests") as locker,
                pytest.raises(RefusedError, match="'forgotten' uses 'plain', and stays"),
            ):
                lock_writes(locker, patience_seconds=3600.0)
        finally:
            connection.execute("ROLLBACK PREPARED 'forgotten'")
        lock(url)
    assert lock_state(url).state == "locked"


def _until(holds: object, seconds: float = 10) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
