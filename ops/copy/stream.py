"""Rows from one server to another without stopping on the way: memory holds one chunk."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter

import psycopg
from psycopg import errors, sql
from psycopg.abc import Buffer
from psycopg.pq.abc import PGconn

from ops.copy.report import Meter

# A message per row, as a server sends them, would cost more calls than bytes.
CHUNK_BYTES = 1 << 16
# What a binary COPY begins with, in the message of its first row: signature, flags, no extension.
_HEADER_BYTES = 19
# How the last message of a binary COPY ends; where a row ends so, the next is waited for.
_TRAILER = b"\xff\xff"
_WITHOUT_FIRST_BYTE = itemgetter(slice(1, None))

# The parts of binary COPY data, joined without anything between: its header, each row, its trailer.
Chunks = Generator[list[bytes], None, None]


@dataclass
class RowsDigest:
    """A digest of rows in any order, for comparison within this process: how many there are, and
    two sums over hashes of 64 bits of each. A difference is missed with a chance of about 2**-128.

    The hash is Python's own of bytes (SipHash, under a key that each process draws): others take
    longer than the reading. The first byte is that of the number of columns, which is the same in
    all rows, so that a row without it is another text of the same content.
    """

    rows: int = 0
    first: int = 0
    second: int = 0

    def add(self, rows: Sequence[bytes]) -> None:
        """Count rows in."""
        self.rows += len(rows)
        self.first += sum(map(hash, rows))
        self.second += sum(map(hash, map(_WITHOUT_FIRST_BYTE, rows)))


def stream(
    chunks: Chunks,
    connection: psycopg.Connection,
    relation: sql.Composable,
    columns: Iterable[str],
    meter: Meter | None = None,
    digest: RowsDigest | None = None,
) -> int:
    """Write binary COPY data into the named columns of a relation; how many rows it took.

    Args:
        digest: counts in what passes; `digest_of` the same rows is the same.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        relation, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with closing(chunks), connection.cursor() as cursor:
        with cursor.copy(statement) as sink:
            for parts in chunks:
                sink.write(b"".join(parts))
                if digest is not None:
                    digest.add(parts)
                if meter is not None:
                    meter.read(len(parts))
        return cursor.rowcount


def rows_of(connection: psycopg.Connection, query: sql.Composable) -> Chunks:
    """The rows of a query."""
    yield from _copied_out(connection, sql.SQL("({})").format(query))


def csv_of(
    connection: psycopg.Connection, query: sql.Composable, *, header: bool = False
) -> Iterator[Buffer]:
    """The rows of a query as CSV: for what two databases hold as other types, or a file.

    Args:
        header: whether the first line names the columns.
    """
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER {})").format(query, header)
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        yield from rows


def digest_of(
    connection: psycopg.Connection, relation: sql.Composable, columns: Iterable[str]
) -> RowsDigest:
    """A digest of a table's rows."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    digest = RowsDigest()
    for parts in _copied_out(connection, sql.SQL("{} ({})").format(relation, names)):
        digest.add(parts)
    return digest


def _copied_out(connection: psycopg.Connection, what: sql.Composable) -> Chunks:
    """At least CHUNK_BYTES at a time, but for the end."""
    copy = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(what)
    with connection.cursor() as cursor, cursor.copy(copy) as messages:
        begin = bytes(messages.read())
        parts = [begin[:_HEADER_BYTES], begin[_HEADER_BYTES:]]
        size = len(begin)
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
