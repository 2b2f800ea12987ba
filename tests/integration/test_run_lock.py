"""One run at a time, also when the lock has died with its server."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.books import run_lock
from ops.books.run_lock import Fence, exclusive_rebuild, exclusive_run
from ops.connection import connect
from ops.errors import BusyError, FencedOutError, WrongDatabaseError
from ops.waiting import wait_until


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "WAIT_SECONDS", 0.1)


def test_a_second_run_is_refused_while_the_first_goes_on(core_url: URL) -> None:
    with (
        exclusive_run(core_url),
        pytest.raises(BusyError, match="wait until it is done"),
        exclusive_run(core_url),
    ):
        pass
    with exclusive_run(core_url):
        pass


def test_a_rebuild_holds_off_rebuilds_and_lets_its_own_phases_run(core_url: URL) -> None:
    with exclusive_rebuild(core_url):
        with exclusive_run(core_url):
            pass
        with pytest.raises(BusyError), exclusive_rebuild(core_url):
            pass


def test_a_run_whose_lock_died_is_fenced_out_by_the_next(core_url: URL) -> None:
    with exclusive_run(core_url) as old, connect(core_url, application_name="tests") as writer:
        _end_session_of_the_lock(core_url)
        with exclusive_run(core_url) as new:
            assert new.number == old.number + 1
            new.check(writer)
            with pytest.raises(FencedOutError, match="this one stops here"):
                old.check(writer)


def test_a_transaction_that_ends_in_time_is_waited_for(
    core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "WAIT_SECONDS", 10)
    with exclusive_run(core_url) as fence, connect(core_url, application_name="tests") as writer:
        fence.check(writer)
        _end_session_of_the_lock(core_url)
        with ThreadPoolExecutor() as beside:
            beside.submit(_commit_once_waited_for, core_url, writer)
            with exclusive_run(core_url) as next_one:
                assert next_one.number == fence.number + 1
        writer.execute("SELECT 1")  # nobody ended it


def test_a_run_that_is_stopped_in_a_transaction_holds_up_nobody(core_url: URL) -> None:
    with exclusive_run(core_url) as fence, connect(core_url, application_name="tests") as stopped:
        fence.check(stopped)
        stopped.execute("CREATE TABLE half_done ()")
        _end_session_of_the_lock(core_url)
        with exclusive_run(core_url) as next_one:
            assert next_one.number == fence.number + 1
        with pytest.raises(psycopg.OperationalError):
            stopped.commit()
    with connect(core_url, application_name="tests") as connection:
        assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)


def _commit_once_waited_for(core_url: URL, writer: psycopg.Connection) -> None:
    with connect(core_url, application_name="tests", autocommit=True) as connection:
        wait_until(
            lambda: (
                connection.execute(
                    "SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
                ).fetchone()
                is not None
            ),
            seconds=10,
        )
    writer.commit()


def _end_session_of_the_lock(core_url: URL) -> None:
    with connect(core_url, application_name="tests") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
            "WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )


def test_the_other_half_of_a_pair_is_refused(ai_url: URL) -> None:
    with (
        pytest.raises(WrongDatabaseError, match="AI half of a pair, not Core"),
        exclusive_run(ai_url),
    ):
        pass


def test_a_database_without_bookkeeping_is_refused(scratch_database: URL) -> None:
    with (
        pytest.raises(WrongDatabaseError, match="run `sigmasight migrate` first"),
        exclusive_run(scratch_database),
    ):
        pass


def test_a_fence_of_no_run_stops(core_url: URL) -> None:
    with (
        connect(core_url, application_name="tests") as connection,
        pytest.raises(FencedOutError),
    ):
        Fence(10_000).check(connection)
