"""One run at a time: an advisory lock in Core, and a fencing number that outlives it.

The lock ends with its session, also when the server dies under a run that goes on. So each run
also takes a number, and each of its writing transactions checks that no newer one was taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import scalar_row
from sqlalchemy.engine import URL

from ops.books.marker import marked_role
from ops.connection import first_value, session_at, shown_address
from ops.errors import BusyError, FencedOutError, WrongDatabaseError
from ops.sql_files import statement

# A killed run's backend needs a moment to notice; a living run holds on for longer than this.
WAIT_SECONDS = 10
_HOLDER = """
SELECT a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)
WHERE a.datname = current_database() AND l.locktype = 'advisory' AND l.granted
    AND l.classid::bigint << 32 | l.objid::bigint = hashtextextended(%s, 0)
"""
# `Fence.check` locks in this mode, and nothing else does.
_END_FORMER_WRITERS = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks
WHERE relation = 'ops.fencing'::regclass AND mode = 'RowShareLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_ENDED = (
    "its session {0} is there since {1} UTC; if its command was stopped or is gone, end it in Core "
    "by SELECT pg_terminate_backend({0})"
)


@dataclass(frozen=True)
class Fence:
    """The number that a run took."""

    number: int

    def check(self, connection: psycopg.Connection) -> None:
        """Hold this run's number until the transaction ends.

        Raises:
            FencedOutError: a newer run has taken over.
        """
        if first_value(connection, "SELECT number FROM ops.fencing FOR SHARE") != self.number:
            raise FencedOutError("a newer run works on this database; this one stops here")


@contextmanager
def exclusive_run(core: URL) -> Iterator[Fence]:
    """Hold the phases' lock of a Core database and take the next fencing number.

    Raises:
        BusyError: another run holds the lock.
        WrongDatabaseError: the database is not a Core that has been migrated.
    """
    with _held(core, "phase") as session:
        _require_core(session, core)
        try:
            fence = _next_number(session)
        except pg.LockNotAvailable:
            # Who still holds the number has lost the lock that is ours now, perhaps while it was
            # stopped. It would write nothing more than this transaction, which comes to nothing.
            session.execute(_END_FORMER_WRITERS)
            with _busy_when_locked(session, "phase"):
                fence = _next_number(session)
        yield fence


def _next_number(session: psycopg.Connection) -> Fence:
    following = "UPDATE ops.fencing SET number = number + 1 RETURNING number"
    return Fence(int(first_value(session, following)))


def _require_core(session: psycopg.Connection, core: URL) -> None:
    role = marked_role(session)
    if role == "ai":
        raise WrongDatabaseError(
            f"{shown_address(core)} is the AI half of a pair, not Core; correct DATABASE_URL"
        )
    if role is None:
        raise WrongDatabaseError(
            f"{shown_address(core)} is no Core database of ours; run `sigmasight migrate` first, "
            "or correct DATABASE_URL"
        )


@contextmanager
def exclusive_rebuild(core: URL) -> Iterator[None]:
    """Hold the lock of a whole rebuild, whose phases take their own one after the other.

    Raises:
        BusyError: another rebuild runs on this database.
    """
    with _held(core, "rebuild"):
        yield


@contextmanager
def exclusive_chat_check(core: URL) -> Iterator[None]:
    """Hold the lock of the check that writes into the chat and removes what others left there.

    Raises:
        BusyError: another verification is at it.
    """
    with _held(core, "chat check"):
        yield


@contextmanager
def exclusive_backup(core: URL, database: str) -> Iterator[None]:
    """Hold the lock of the backups of one database of a move.

    Raises:
        BusyError: another backup of it is under way.
    """
    with _held(core, f"backup {database}"):
        yield


def under_way(session: psycopg.Connection[Any]) -> list[str]:
    """What works on this Core, by the lock that it holds: `phase`, `rebuild` or both."""
    with session.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement("books/under_way")).fetchall()


@contextmanager
def _held(core: URL, name: str) -> Iterator[psycopg.Connection]:
    with session_at(core, f"{name} lock", autocommit=True) as session:
        take_lock(session, name)
        yield session


def take_lock(session: psycopg.Connection, name: str) -> None:
    """Hold a lock of this name until the session ends.

    Raises:
        BusyError: another session holds it all the time; the message says which.
    """
    session.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{WAIT_SECONDS}s")))
    with _busy_when_locked(session, name):
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"sigmasight {name}"])


@contextmanager
def _busy_when_locked(session: psycopg.Connection, name: str) -> Iterator[None]:
    try:
        yield
    except pg.LockNotAvailable:
        session.rollback()
        row = session.execute(_HOLDER, [f"sigmasight {name}"]).fetchone()
        whose = f" ({_ENDED.format(*row)})" if row else ""
        raise BusyError(
            f"another run works on this database; wait until it is done, see the dashboard{whose}"
        ) from None
