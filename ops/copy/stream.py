"""Rows from one server to another without stopping on the way: memory holds one chunk."""

from collections.abc import Generator, Iterable
from contextlib import closing
from hashlib import blake2b

import psycopg
from psycopg import errors, sql
from psycopg.pq.abc import PGconn

from ops.copy.report import Meter

# A message per row, as a server sends them, would cost more calls than bytes.
CHUNK_BYTES = 1 << 16
# How the last message of a binary COPY ends; where a row ends so, the next is waited for.
_TRAILER = b"\xff\xff"

# Binary COPY data, and how many messages of a server it holds, which are rows.
Chunks = Generator[tuple[int, bytes], None, None]


def stream(
    chunks: Chunks,
    connection: psycopg.Connection,
    relation: sql.Composable,
    columns: Iterable[str],
    meter: Meter | None = None,
    digest: blake2b | None = None,
) -> int:
    """Write binary COPY data into the named columns of a relation; how many rows it took.

    Args:
        digest: is fed what passes; `digest_of` the same rows in the same order is the same.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        relation, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with closing(chunks), connection.cursor() as cursor:
        with cursor.copy(statement) as sink:
            for rows, chunk in chunks:
                sink.write(chunk)
                if digest is not None:
                    digest.update(chunk)
                if meter is not None:
                    meter.read(rows)
        return cursor.rowcount


def rows_of(connection: psycopg.Connection, query: sql.Composable) -> Chunks:
    """The rows of a query."""
    yield from _copied_out(connection, sql.SQL("({})").format(query))


def digest_of(
    connection: psycopg.Connection, relation: sql.Composable, columns: Iterable[str]
) -> bytes:
    """A digest of a table's rows, in the order in which they lie."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    digest = blake2b()
    with connection.transaction():
        # A scan that joins another's would begin in the middle.
        connection.execute("SET LOCAL synchronize_seqscans = off")
        for _, chunk in _copied_out(connection, sql.SQL("{} ({})").format(relation, names)):
            digest.update(chunk)
    return digest.digest()


def _copied_out(connection: psycopg.Connection, what: sql.Composable) -> Chunks:
    """At least CHUNK_BYTES at a time, but for the end."""
    copy = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(what)
    with connection.cursor() as cursor, cursor.copy(copy) as messages:
        pending, rows = bytearray(), 0
        while message := messages.read():
            pending += message
            rows += 1
            if message[-2:] != _TRAILER:
                rows += _take_arrived(connection.pgconn, pending)
            if len(pending) >= CHUNK_BYTES:
                yield rows, bytes(pending)
                pending.clear()
                rows = 0
        if pending:
            yield rows, bytes(pending)


def _take_arrived(source: PGconn, pending: bytearray) -> int:
    """Append the messages that have arrived already; how many. To wait for each of them costs ten
    times as much. What follows the trailer is left to psycopg.

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
        pending += message
        taken += 1
        if message[-2:] == _TRAILER:
            return taken


def _failure(source: PGconn) -> psycopg.Error:
    failure: psycopg.Error = psycopg.OperationalError("the server ended a COPY before its end")
    while (result := source.get_result()) is not None:
        if result.error_message:
            failure = errors.error_from_result(result)
    return failure
