"""Rows from one server to another without stopping on the way: memory holds one chunk."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg import errors, sql
from psycopg.abc import Buffer
from psycopg.pq.abc import PGconn

from ops.copy.report import Meter

# A message per row, as a server sends them, would cost more calls than bytes.
CHUNK_BYTES = 1 << 16
# How the last message of a binary COPY ends; where a row ends so, the next is waited for.
_TRAILER = b"\xff\xff"

# Binary COPY data as a server sends it, a part for each row: the first has the header before its
# row, and after the last comes the trailer.
Chunks = Generator[list[bytes], None, None]


def stream(
    chunks: Chunks,
    connection: psycopg.Connection,
    relation: sql.Composable,
    columns: Iterable[str],
    meter: Meter | None = None,
) -> int:
    """Write binary COPY data into the named columns of a relation; how many rows it took."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        relation, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with closing(chunks), connection.cursor() as cursor:
        with cursor.copy(statement) as sink:
            for parts in chunks:
                sink.write(b"".join(parts))
                if meter is not None:
                    meter.read(len(parts))
        return cursor.rowcount


@contextmanager
def csv_of(
    connection: psycopg.Connection, query: sql.Composable, *, header: bool = False
) -> Iterator[Iterable[Buffer]]:
    """The rows of a query as CSV, for a block: for what two databases hold as other types, or a
    file. No bare generator: where whoever takes the rows fails, an exception keeps that as it
    stands, within a COPY that has the connection's lock, and its ROLLBACK then waits for ever.

    Args:
        header: whether the first line names the columns.
    """
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER {})").format(query, header)
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        yield rows


def rows_of(connection: psycopg.Connection, query: sql.Composable) -> Chunks:
    """The rows of a query: at least CHUNK_BYTES at a time, but for the end."""
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(copy) as messages:
        parts: list[bytes] = []
        size = 0
        while message := messages.read():
            parts.append(bytes(message))
            size += len(message)
            if parts[-1][-2:] != _TRAILER:
                size += _take_arrived(connection.pgconn, parts)
            if size >= CHUNK_BYTES:
                yield parts
                parts, size = [], 0
        if parts:
            yield parts


def _take_arrived(source: PGconn, parts: list[bytes]) -> int:
    """Append the messages that have arrived already; their bytes. To wait for each of them costs
    ten times as much. What follows the trailer is left to psycopg.

    Raises:
        psycopg.Error: the server has ended the COPY with it.
    """
    taken = 0
    while True:
        size, message = source.get_copy_data(1)
        if size == 0:
            return taken
        if size < 0:
            raise _failure(source)
        parts.append(bytes(message))
        taken += size
        if parts[-1][-2:] == _TRAILER:
            return taken


def _failure(source: PGconn) -> psycopg.Error:
    failure: psycopg.Error = psycopg.OperationalError("the server ended a COPY before its end")
    while (result := source.get_result()) is not None:
        if result.error_message:
            failure = errors.error_from_result(result)
    return failure
