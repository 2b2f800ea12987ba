"""The fence of Core and AI: while the old pair serves again, nothing of a backend writes to users'
tables there, such as a process that was stopped before the rollback and wakes after it.

It is a write lock on chosen tables, by the same triggers. No privilege is taken away, and our own
phases are let through by the name of their sessions: a convention against late processes, which
whoever calls itself so, or owns the tables, gets past.
"""

from collections.abc import Callable, Collection

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL

from ops.errors import BusyError, RefusedError
from ops.sql_files import statement
from ops.write_lock.lock import change, lock_state, release_any_lock, require_owned
from ops.write_lock.proof import prove_locked
from ops.write_lock.table_locks import PATIENCE_SECONDS, lock_tables
from ops.write_lock.tables import UserRelation, hand_over, relations


def tables_to_fence(connection: psycopg.Connection, names: Collection[str]) -> list[UserRelation]:
    """These tables of schema public, so far as they are there.

    Raises:
        RefusedError: one belongs to a role whose rights this session has not.
    """
    found = [one for one in relations(connection) if one.is_table]
    chosen = [one for one in found if one.schema == "public" and one.name in names]
    require_owned(connection, chosen)
    return chosen


def fence_off(connection: psycopg.Connection, chosen: list[UserRelation]) -> None:
    """Refuse every write to these tables from the commit of the caller's transaction on, and prove
    it. Until then writers wait and readers read. Whoever is in the middle of a write is given a
    moment, and ended then. Idempotent.

    Raises:
        BusyError: such a session could not be ended.
        RefusedError: a table let a write through.
    """
    _lock_out(connection, chosen)
    hand_over(connection, chosen)
    change(connection, "schema", "refuse_late_write", "triggers")
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT set_config('application_name', 'proof of the fence', true)")
        prove_locked(connection, chosen)


def lift_fence(core: URL, ai: URL, still_ours: Callable[[], object] = lambda: None) -> None:
    """Open the new pair to writes again. Where there is no fence, nothing happens.

    Args:
        still_ours: see `release_any_lock`.

    Raises:
        BusyError: another session used a table all the time, if only reading.
    """
    for url in (core, ai):
        release_any_lock(url, still_ours)


def is_fenced(core: URL, ai: URL) -> bool:
    """Whether anything of a fence is left on the new pair."""
    return any(lock_state(url).any_locked for url in (core, ai))


def _lock_out(connection: psycopg.Connection, chosen: list[UserRelation]) -> None:
    """Requests have come to rest by now: who still writes was stopped, or hears of nothing."""
    try:
        lock_tables(connection, chosen, "SHARE ROW EXCLUSIVE", patience_seconds=0)
    except (BusyError, RefusedError):
        _end_writers(connection, chosen)
        lock_tables(connection, chosen, "SHARE ROW EXCLUSIVE", PATIENCE_SECONDS)


def _end_writers(connection: psycopg.Connection, chosen: list[UserRelation]) -> None:
    try:
        with connection.transaction():
            asked = {"tables": [one.oid for one in chosen]}
            connection.execute(statement("write_lock/end_writers"), asked)
    except pg.InsufficientPrivilege:
        return  # who waits for the tables says whose session it is
