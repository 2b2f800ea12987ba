"""Rows from one server to another without stopping on the way: memory holds one chunk."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

import psycopg
from psycopg import sql

from ops.copy.report import Meter

# A message per row, as a server sends them, would cost more calls than bytes.
CHUNK_BYTES = 1 << 16

Messages = Generator[bytes | bytearray | memoryview, None, None]


def stream(
    messages: Messages,
    connection: psycopg.Connection,
    relation: sql.Composable,
    columns: Iterable[str],
    meter: Meter | None = None,
) -> int:
    """Write binary COPY messages into the named columns of a relation; how many rows it took."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        relation, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with closing(messages), connection.cursor() as cursor:
        with cursor.copy(statement) as sink:
            for rows, chunk in _chunks(messages):
                sink.write(chunk)
                if meter is not None:
                    meter.read(rows)
        return cursor.rowcount


def rows_of(connection: psycopg.Connection, query: sql.Composable) -> Messages:
    """The rows of a query as binary COPY messages."""
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(copy) as messages:
        yield from messages


def _chunks(messages: Messages) -> Iterator[tuple[int, bytes]]:
    """Join messages to chunks of at least CHUNK_BYTES, each with its number of messages."""
    pending = bytearray()
    rows = 0
    for message in messages:
        pending += message
        rows += 1
        if len(pending) >= CHUNK_BYTES:
            yield rows, bytes(pending)
            pending.clear()
            rows = 0
    if pending:
        yield rows, bytes(pending)
