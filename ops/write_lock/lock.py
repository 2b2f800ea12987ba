"""The write lock on legacy: statement triggers on every table, and privileges taken away.

It is the first thing of ours that legacy ever holds, and all of it can be taken off again. What it
cannot stop, because no trigger can: a superuser or owner who drops tables or triggers, a table that
is made later (`lock_state` names it, `lock_writes` locks it), a number that a sequence gives; and
tables of other roles, writes through foreign tables to elsewhere, large objects, and what a
subscription applies row by row (`beyond_lock` names these).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL

from ops.connection import end_in_time, explained, first_line, place, session_at, writing_session
from ops.errors import BusyError, ConfigurationError, RefusedError
from ops.sql_files import statement
from ops.waiting import wait_until
from ops.write_lock.proof import prove_locked
from ops.write_lock.table_locks import PATIENCE_SECONDS, lock_tables
from ops.write_lock.tables import (
    Choose,
    UserRelation,
    hand_over,
    lockable_tables,
    moved_of_others,
    moved_tables,
    other_tables,
    relations,
    tables,
    tables_of_others,
)

# The names of the sessions that make a lock or take it off, of those that write beside it
# (`ops.write_lock.passing`) and of those that hold requests; the phases' lock lets one run have
# them.
LOCKING, CARRYING = "cutover lock", "cutover carrying"
HOLDING = "cutover hold"
_LEAVE_SECONDS = 5.0
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = ANY(%s) AND pid <> ALL(%s)
"""


@dataclass(frozen=True)
class LockReport:
    """What a call of `lock_writes` did.

    Attributes:
        chosen: tables that are locked now, as they were before.
        revoked: privileges that are taken away now, by this call or an earlier one.
        kept: privileges that this role could not take away, with the reason; the triggers hold.
    """

    chosen: tuple[UserRelation, ...]
    revoked: int
    kept: tuple[str, ...]

    @property
    def tables(self) -> int:
        """How many are locked now."""
        return len(self.chosen)


@dataclass(frozen=True)
class LockState:
    """Whether a database is locked against writes.

    Attributes:
        tables: how many tables it holds that a lock reaches.
        unlocked: the names of those that could be written to, all of them where it is open.
        since: when the lock was made; None where there is none.
    """

    state: Literal["locked", "partial", "open"]
    tables: int
    unlocked: tuple[str, ...]
    since: datetime | None

    @property
    def any_locked(self) -> bool:
        """Whether anything of a lock is there that `release_lock` would take off."""
        return self.state != "open"

    def __str__(self) -> str:
        return self.state


def lock_writes(
    connection: psycopg.Connection,
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    choose: Choose = lockable_tables,
    hold: int | None = None,
) -> LockReport:
    """Refuse every write to this database from the commit of the caller's transaction on.

    Until then writers wait and readers read; a rollback, or the death of this session, leaves no
    trace. On a locked database only what is new is locked.

    Args:
        patience_seconds: how long others may keep a table in use.
        choose: of the database's relations, the tables that are locked; by default all that can be.
        hold: the number of the hold in which this is done, if it may yet be given up. Until it is
            sealed, whoever could write before may take off the lock of this hold.

    Raises:
        RefusedError: a table that a move reads belongs to a role whose rights this session has not.
        BusyError: another session used a table all the time.
    """
    known = relations(connection)
    require_owned(connection, moved_of_others(known))
    lock_tables(connection, choose(known), "SHARE ROW EXCLUSIVE", patience_seconds)
    # Once more: a table may have changed while others were waited for.
    chosen = choose(relations(connection))
    hand_over(connection, chosen)
    whole = str(choose is lockable_tables)
    connection.execute("SELECT set_config('sigmasight.whole', %s, true)", [whole])
    change(connection, "schema", "refuse_write", "triggers", "privileges", "seal")
    if hold is not None:
        connection.execute("SELECT set_config('sigmasight.hold', %s, true)", [str(hold)])
        change(connection, "release", "given_up")
    return _report(connection, chosen)


def require_owned(connection: psycopg.Connection, chosen: list[UserRelation]) -> None:
    """See that triggers can be made on tables.

    Raises:
        RefusedError: one belongs to a role whose rights this session has not.
    """
    foreign = next((one for one in chosen if not one.owned), None)
    if foreign is not None:
        raise RefusedError(
            f"{place(connection)} cannot be locked by role {connection.info.user!r}: table "
            f"{str(foreign)!r} belongs to {foreign.owner!r}; give an address of that role or "
            "of a superuser"
        )


def _report(connection: psycopg.Connection, chosen: list[UserRelation]) -> LockReport:
    rows = connection.execute(
        "SELECT why_kept, privilege || ' on ' || target || ' to ' || grantee || ' (' || why_kept"
        " || ')' FROM sigmasight_cutover.revoked ORDER BY 2"
    ).fetchall()
    return LockReport(
        tuple(chosen),
        sum(why is None for why, _ in rows),
        tuple(words for why, words in rows if why is not None),
    )


def beyond_lock(url: URL) -> list[str]:
    """What of a database can be written to whatever is locked, each in words. A write through a
    view reaches a table, or one of these.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    with session_at(url, "write lock", read_only=True) as session:
        known = relations(session)
        beside = session.execute(statement("write_lock/beside_tables")).fetchall()
    others = [f"{one} of {one.owner}" for one in tables_of_others(known)]
    elsewhere = [f"{one.kind} {one}" for one in known if one.kind == "foreign table"]
    return others + elsewhere + [name for (name,) in beside]


def lock_state(url: URL) -> LockState:
    """Whether the database is locked, by its catalogue alone; `prove_locked` tries it.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    with session_at(url, "write lock", read_only=True) as session:
        return lock_state_in(session)


def lock_state_in(session: psycopg.Connection) -> LockState:
    """`lock_state` as a session sees it."""
    found, since = tables(session), lock_epoch(session)
    unlocked = tuple(str(one) for one in found if not one.locked)
    if since is None and not any(one.marked for one in found):
        return LockState("open", len(found), unlocked, None)
    return LockState("partial" if unlocked else "locked", len(found), unlocked, since)


def lock_epoch(session: psycopg.Connection) -> datetime | None:
    """When the lock was made, which tells it from any other; None where there is none.

    Raises:
        ConfigurationError: it is another role's.
    """
    row = session.execute(
        "SELECT tableowner FROM pg_tables"
        " WHERE schemaname = 'sigmasight_cutover' AND tablename = 'lock'"
    ).fetchone()
    if row is None:
        return None
    try:
        with session.transaction():
            found = session.execute("SELECT locked_at FROM sigmasight_cutover.lock").fetchone()
    except (pg.UndefinedTable, pg.InvalidSchemaName):  # taken off in between
        return None
    except pg.InsufficientPrivilege:
        raise ConfigurationError(
            f"{place(session)} was locked by role {row[0]!r}; give an address of that role or of a "
            "superuser"
        ) from None
    return None if found is None else found[0]


def release_lock(url: URL, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Take the lock off, in one transaction. Where there is none, nothing happens.

    Raises:
        BusyError: another session used a table all the time, if only reading.
    """
    with explained(url), writing_session(url, "write lock") as session:
        release_lock_in(session, patience_seconds)


def release_lock_in(
    connection: psycopg.Connection, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """`release_lock` in the caller's transaction: triggers, privileges, schema, all as before."""
    marked = [one for one in relations(connection) if one.marked]
    lock_tables(connection, marked, "ACCESS EXCLUSIVE", patience_seconds)
    change(connection, "release", "unlock")


def change(connection: psycopg.Connection, *scripts: str) -> None:
    """Run scripts of definitions. Event triggers would write to tables that it locks, or forbid
    it; where this role may, they are silent meanwhile."""
    if connection.info.server_version >= 170000:
        connection.execute(
            "SELECT set_config('event_triggers', 'off', true)"
            " WHERE has_parameter_privilege('event_triggers', 'SET')"
        )
    enabled = "SELECT evtname FROM pg_event_trigger WHERE evtenabled <> 'D' ORDER BY 1"
    names = ", ".join(str(name) for (name,) in connection.execute(enabled))
    try:
        connection.execute(b"".join(statement(f"write_lock/{script}") for script in scripts))
    except psycopg.DatabaseError as error:
        if not names or error.sqlstate is None:
            raise
        raise RefusedError(
            f"{place(connection)} cannot be changed beside its event triggers ({names}: "
            f"{first_line(error)}); disable them meanwhile (ALTER EVENT TRIGGER … DISABLE), or "
            "give a superuser's address"
        ) from None


def lock_and_prove(legacy: URL, still_ours: Callable[[], object] = lambda: None) -> None:
    """Lock legacy in a transaction of its own, and prove it from another session. Idempotent. Who
    was stopped while it locked, or wrote beside the lock, is ended first, as by `release_any_lock`.

    Args:
        still_ours: see there.
    """
    with explained(legacy), writing_session(legacy, LOCKING) as lock:
        still_ours()
        end_sessions(lock, LOCKING, CARRYING)
        lock_writes(lock)
    prove_from_outside(legacy)


def prove_from_outside(legacy: URL, choose: Choose = lockable_tables) -> None:
    """Try to write from a session that did not make the lock. See `prove_locked`.

    Raises:
        RefusedError: a write went through.
    """
    with explained(legacy), writing_session(legacy, "cutover proof") as session:
        prove_locked(session, choose(relations(session)))


def release_any_lock(legacy: URL, still_ours: Callable[[], object] = lambda: None) -> None:
    """Release whatever is locked, if anything is, also by a commit whose answer never came: its
    session is ended first, so that it cannot come later, and so is one that writes beside the lock.

    Args:
        still_ours: raises where a newer run has taken over. It is asked once the session is open,
            which a newer run ends: so either it has not begun, or nothing is written here.

    Raises:
        BusyError: such a session does not end.
    """
    with explained(legacy), writing_session(legacy, LOCKING) as session:
        still_ours()
        end_sessions(session, LOCKING, CARRYING)
        if lock_state_in(session).any_locked:
            release_lock_in(session)


def release_others(legacy: URL, most_seconds: float, still_ours: Callable[[], object]) -> None:
    """Take the lock off all but what a move reads, before anybody waits for the rest of it. Should
    that stay after all, `lock_writes` makes the lock whole again.

    Args:
        most_seconds: when the server itself undoes it; others may use a table for half of it.
        still_ours: see `release_any_lock`.

    Raises:
        BusyError: another session used a table all the time.
    """
    with explained(legacy), writing_session(legacy, LOCKING) as session:
        still_ours()
        end_in_time(session, most_seconds)
        known = relations(session)
        moved, others = moved_tables(known), [one for one in other_tables(known) if one.marked]
        if moved and others:
            lock_tables(session, others, "ACCESS EXCLUSIVE", most_seconds / 2)
            hand_over(session, moved)
            change(session, "release", "unlock_others")


def begin_release(session: psycopg.Connection, most_seconds: float) -> None:
    """`release_any_lock`, but for the caller to commit once the pair has changed: what could fail,
    because somebody reads a table, does so before. Until then nobody reads the database.

    Args:
        most_seconds: when the server itself undoes it; others may use a table for half of it.
    """
    end_sessions(session, LOCKING, CARRYING)
    end_in_time(session, most_seconds)
    release_lock_in(session, most_seconds / 2)


def end_sessions(
    session: psycopg.Connection, *names: str, spared: Sequence[psycopg.Connection] = ()
) -> None:
    """End the sessions of these names in a database, which a run that is over has left; not this
    one, nor those spared.

    Raises:
        BusyError: one does not end.
    """
    ended = [f"sigmasight {name}" for name in names]
    spared_pids = [one.info.backend_pid for one in (session, *spared)]

    def none_left() -> bool:
        row = session.execute(_END_SESSIONS, [ended, spared_pids]).fetchone()
        session.commit()  # else the server shows the same sessions again
        return row == (0,)

    if not wait_until(none_left, _LEAVE_SECONDS):
        raise BusyError("a session of an earlier swap or rollback does not end; try again shortly")
