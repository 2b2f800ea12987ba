"""The moments at which legacy's counters were read, as Core keeps them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.books.run_lock import take_lock
from ops.connection import first_value, rows_as, session_at

Counters = Mapping[str, Any]
Kind = Literal["window", "before", "after"]
_ALIVE = "hashtextextended('sigmasight legacy access ' || %s::bigint, 0)"


@dataclass(frozen=True)
class Moment:
    """One reading of the counters.

    Attributes:
        access: for an 'after', the id of its 'before'.
        purpose: what for; of a window, why it begins.
    """

    id: int
    moment: Kind
    access: int | None
    purpose: str
    counters: Counters
    recorded_at: datetime


@contextmanager
def one_at_a_time(core: URL) -> Iterator[psycopg.Connection]:
    """A session of Core in a transaction that no other reading of counters runs beside, so that
    the order of the records is the order of the readings.

    Raises:
        BusyError: one that was stopped, say, goes on all the time; the message names its session.
    """
    with session_at(core, "legacy access") as session:
        take_lock(session, "legacy counters")
        yield session


def record(
    session: psycopg.Connection,
    moment: Kind,
    purpose: str,
    counters: Counters,
    access: int | None = None,
) -> int:
    """Write a moment down; returns its id."""
    recorded: int = first_value(
        session,
        "INSERT INTO ops.legacy_access (moment, access, purpose, counters)"
        " VALUES (%s, %s, %s, %s) RETURNING id",
        [moment, access, purpose, Jsonb(dict(counters))],
    )
    return recorded


def moments_since_window(session: psycopg.Connection) -> list[Moment]:
    """The last window and all that follows it, in order; empty where none was begun."""
    return rows_as(
        Moment,
        session,
        "SELECT * FROM ops.legacy_access WHERE id >= ("
        "  SELECT max(id) FROM ops.legacy_access WHERE moment = 'window') ORDER BY id",
    )


def hold_alive(session: psycopg.Connection, access: int) -> None:
    """Show, as long as this session lives, that the access goes on."""
    session.execute(f"SELECT pg_advisory_lock({_ALIVE})".encode(), [access])


def cut_off(session: psycopg.Connection, accesses: Sequence[int]) -> list[int]:
    """Those of the accesses whose process has died."""
    return [one for one in accesses if not _alive(session, one)]


def _alive(session: psycopg.Connection, access: int) -> bool:
    try_it = f"SELECT pg_try_advisory_xact_lock({_ALIVE})".encode()
    return not first_value(session, try_it, [access])
