"""How long a server takes to tell what a copy brings."""

from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

import psycopg
from psycopg import sql

_SAMPLE = 5_000


def read_seconds(
    session: psycopg.Connection, tables: Iterable[tuple[sql.Identifier, int]]
) -> float:
    """For how many seconds all rows of tables would be read over this session, by the pace of the
    first few thousand of each: what a copy takes at least, since it also writes and proves.

    Args:
        tables: each with its number of rows.
    """
    return sum(_seconds(session, table) * max(1, rows / _SAMPLE) for table, rows in tables)


def _seconds(session: psycopg.Connection, table: sql.Identifier) -> float:
    """Of the sample, to its last byte or to a row that cannot be sent: a copy would name it."""
    query = sql.SQL("COPY (SELECT * FROM {} LIMIT {}) TO STDOUT").format(table, _SAMPLE)
    begun = monotonic()
    with (
        suppress(psycopg.DataError),
        session.transaction(),
        session.cursor() as cursor,
        cursor.copy(query) as sample,
    ):
        for _ in sample:
            pass
    return monotonic() - begun
