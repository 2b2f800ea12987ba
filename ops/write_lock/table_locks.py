"""Locks on many tables at once, taken in one order, with patience for those who hold them."""

import random
from collections.abc import Sequence
from typing import Literal

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ops.connection import place
from ops.errors import BusyError, RefusedError
from ops.sql_files import statement
from ops.waiting import wait_until
from ops.write_lock.tables import UserRelation

# What CREATE TRIGGER takes: readers read on, writers wait. What DROP TRIGGER takes: all wait.
Mode = Literal["SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"]

# How long all attempts together may take, by default; requests are held in the meantime.
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = (0.05, 0.15)


def lock_tables(
    connection: psycopg.Connection,
    chosen: Sequence[UserRelation],
    mode: Mode,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Lock tables until the transaction ends, all or none.

    An attempt that finds one of them taken gives all up again, so that whoever waits behind it goes
    on. An autovacuum in the way is cancelled by the server as soon as it looks for a deadlock.

    Raises:
        BusyError: somebody held one of them all the time; the message says who.
        RefusedError: a prepared transaction does, which is not waited for.
    """
    if not chosen:
        return
    command = sql.SQL("LOCK TABLE {} IN {} MODE").format(
        sql.SQL(", ").join(sql.SQL("ONLY {}").format(one.identifier) for one in chosen),
        sql.SQL(mode),
    )
    attempt_seconds = _attempt_seconds(connection)

    def locked() -> bool:
        if _locked(connection, command, attempt_seconds):
            return True
        if isinstance(held := _who_holds(connection, chosen, mode), RefusedError):
            raise held
        return False

    if not wait_until(
        locked,
        patience_seconds,
        pause=random.uniform(*_PAUSE_SECONDS),  # two that are at it must not meet every time
    ):
        raise _who_holds(connection, chosen, mode)


def _locked(connection: psycopg.Connection, command: sql.Composed, seconds: float) -> bool:
    before = _setting(connection, "lock_timeout")
    try:
        with connection.transaction():
            _set(connection, "lock_timeout", f"{seconds * 1000:.0f}ms")
            connection.execute(command)
            _set(connection, "lock_timeout", before)
    except (pg.LockNotAvailable, pg.DeadlockDetected):
        return False
    return True


def _attempt_seconds(connection: psycopg.Connection) -> float:
    """Long enough that the server has looked for a deadlock, which is when an autovacuum yields;
    where this role may choose, it looks soon."""
    if connection.info.server_version >= 150000:
        connection.execute(
            "SELECT set_config('deadlock_timeout', '50ms', true)"
            " WHERE has_parameter_privilege('deadlock_timeout', 'SET')"
        )
    row = connection.execute(
        "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8"
    ).fetchone()
    assert row is not None  # one value
    return float(row[0]) + 0.25


def _who_holds(
    connection: psycopg.Connection, chosen: Sequence[UserRelation], mode: Mode
) -> BusyError | RefusedError:
    asked = {"tables": [one.oid for one in chosen], "readers": mode == "ACCESS EXCLUSIVE"}
    row = connection.execute(statement("write_lock/holder"), asked).fetchone()
    where = place(connection)
    if row is None:
        return BusyError(f"tables of {where} were in use by other sessions; try again")
    pid, name, table = row
    if pid is None:
        return RefusedError(
            f"{where} cannot be locked: prepared transaction {name!r} uses {table!r}, and stays "
            "until COMMIT PREPARED or ROLLBACK PREPARED ends it"
        )
    return BusyError(
        f"{where} cannot be locked: session {pid} ({name}) uses {table!r}; end it, or try again "
        "when it is done"
    )


def _setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None  # one value
    return str(row[0])


def _set(connection: psycopg.Connection, name: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, true)", [name, value])
