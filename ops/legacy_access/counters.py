"""What a server counts of a database's use, and what two counts say of the time between them.

Reads are scans of users' tables and rows that these gave; the catalogue does not count, and neither
do an autovacuum or an analyze. What no counter shows: a row fetched by its ctid, a read of a
standby, a copy of the server's files.
"""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import URL

from ops.books.legacy_accesses import Counters
from ops.connection import first_value, rows_as, session_at
from ops.database_identity import identity_in, same_identity
from ops.sql_files import statement
from ops.waiting import wait_until

# A session's counts are there when it is gone; that takes milliseconds after it was closed.
FLUSH_SECONDS = 5.0
# One that stays, idle, brings them after ten seconds.
_IDLE_FLUSH_SECONDS = 11.0


class UnknownUseError(Exception):
    """Two counts do not tell what happened between them."""


@dataclass(frozen=True)
class Use:
    """How a database was used.

    Attributes:
        reads: scans of users' tables.
        rows_read: rows that they gave.
        writes: rows inserted, updated or deleted, also by what was rolled back; and tables that
            were made, dropped or replaced.
        rollbacks: transactions undone; a write that the lock refused is one.
        sessions: logins.
        tables: the tables that were read or written.
    """

    reads: int = 0
    rows_read: int = 0
    writes: int = 0
    rollbacks: int = 0
    sessions: int = 0
    tables: frozenset[str] = frozenset()

    def __add__(self, other: "Use") -> "Use":
        return Use(
            self.reads + other.reads,
            self.rows_read + other.rows_read,
            self.writes + other.writes,
            self.rollbacks + other.rollbacks,
            self.sessions + other.sessions,
            self.tables | other.tables,
        )


@dataclass(frozen=True)
class Session:
    """A connection of somebody to the database.

    Attributes:
        seems_ours: it says so, by its name or its role; no proof.
    """

    pid: int
    seems_ours: bool


def read_counters(legacy: psycopg.Connection) -> Counters:
    """The counters of this moment, with the identity of the database that counts."""
    counted = first_value(legacy, statement("legacy_access/counters"))
    return {**counted, "identity": identity_in(legacy)}


@dataclass(frozen=True)
class Look:
    """One look at a database: what its server counts, and who else is connected."""

    counters: Counters
    sessions: list[Session]


def look_at(url: URL) -> Look:
    """Look over a connection of its own.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    with session_at(url, "counters", autocommit=True) as legacy:
        return Look(read_counters(legacy), _sessions(legacy))


def wait_for_flush(url: URL, before: Collection[int], *, everybody: bool = False) -> None:
    """Wait until our sessions that were not there `before` are gone, since only then is counted
    what they did; at most `FLUSH_SECONDS`. Their server process may outlive their connection.

    Args:
        everybody: wait for all sessions, whoever they seem to be; for those that stay, as a
            pooler's do, until they have told while idle.
    """
    with session_at(url, "counters", autocommit=True) as legacy:
        wait_until(
            lambda: not any(one.seems_ours or everybody for one in _sessions(legacy, before)),
            _IDLE_FLUSH_SECONDS if everybody else FLUSH_SECONDS,
            pause=0.02,
        )


def _sessions(legacy: psycopg.Connection, before: Collection[int] = ()) -> list[Session]:
    """Those that were not there `before`."""
    known = {"before": list(before)}
    return rows_as(Session, legacy, statement("legacy_access/sessions"), known)


def use_between(before: Counters, after: Counters) -> Use:
    """What the counters say was done between two moments.

    Raises:
        UnknownUseError: they were set back in between, or are another database's.
    """
    if not same_identity(before["identity"], after["identity"]):
        raise UnknownUseError("another database answered at its address")
    if before["server_reset"] != after["server_reset"]:
        raise UnknownUseError("its server stopped uncleanly, or its statistics were reset")
    if before["database_reset"] != after["database_reset"]:
        raise UnknownUseError("its statistics were reset")
    # The session that read the later counters is ours.
    use = Use(
        rollbacks=_grown("rollbacks", before, after),
        sessions=max(_grown("sessions", before, after) - 1, 0),
    )
    for table in sorted(before["tables"].keys() | after["tables"].keys()):
        use += _use_of(table, before["tables"].get(table), after["tables"].get(table))
    return use


def _use_of(table: str, before: Counters | None, after: Counters | None) -> Use:
    name = table.removeprefix("public.")
    if before is None or after is None or before["oid"] != after["oid"]:
        return Use(writes=1, tables=frozenset({name}))
    reads, rows, writes = (
        _grown(counter, before, after, of=f" of {name}")
        for counter in ("scans", "rows_read", "writes")
    )
    touched = frozenset({name}) if reads or rows or writes else frozenset()
    return Use(reads, rows, writes, tables=touched)


def _grown(counter: str, before: Counters, after: Counters, of: str = "") -> int:
    grown = int(after[counter]) - int(before[counter])
    if grown < 0:
        raise UnknownUseError(f"its counter {counter}{of} fell")
    return grown
