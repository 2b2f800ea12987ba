"""Content hashes: whether two sides hold the same rows.

A row is written as one canonical text of what is compared, json as jsonb, NULL distinct from an
empty text. The session settings on which texts depend are those of `ops.connection.connect`, so
hash only over such a connection.

The hash of a table is its row count beside two sums over the SHA-256 of its rows (two 64-bit words
of each digest): the order of rows does not matter, a repeated row counts each time, and the server
needs no memory that grows with the table. Two tables that differ by accident agree with a chance of
about 2**-128; it is no seal against somebody who may choose the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

WORD = 2**64


@dataclass(frozen=True)
class TableHash:
    """The content of a table.

    Attributes:
        rows: how many rows there are.
        digest: 32 hexadecimal digits, equal for equal content.
    """

    rows: int
    digest: str


def rows_hash(
    connection: psycopg.Connection,
    relation: sql.Composable,
    expressions: Sequence[sql.Composable],
    where: sql.Composable | None = None,
    encoding: str = "UTF8",
) -> TableHash:
    """Hash the rows of `relation` (a FROM item) as the texts of `expressions`.

    Args:
        encoding: the one that texts are brought to; `SQL_ASCII` takes them as the bytes they are.
    """
    query = sql.SQL(
        "SELECT count(*),"
        " coalesce(sum(('x' || substr(digest, 1, 16))::bit(64)::bigint), 0),"
        " coalesce(sum(('x' || substr(digest, 17, 16))::bit(64)::bigint), 0)"
        # OFFSET 0 keeps the planner from writing the digest out twice, and computing it twice.
        " FROM (SELECT {digest} AS digest FROM {relation} WHERE {where} OFFSET 0) AS digests"
    ).format(
        digest=row_digest(expressions, encoding),
        relation=relation,
        where=sql.SQL("true") if where is None else where,
    )
    return table_hash(connection.execute(query).fetchone())


def table_hash(row: Sequence[int] | None) -> TableHash:
    """The hash that row count and sums say; see `rows_hash`."""
    rows, first, second = row or (0, 0, 0)
    return TableHash(int(rows), f"{int(first) % WORD:016x}{int(second) % WORD:016x}")


def canonical(column: sql.Composable, *, is_json: bool) -> sql.Composable:
    """A column in the form in which equal values have equal texts: json becomes jsonb."""
    return sql.SQL("{}::jsonb").format(column) if is_json else column


def row_digest(expressions: Sequence[sql.Composable], encoding: str = "UTF8") -> sql.Composed:
    """The SHA-256 of a row's expressions, as an expression; see `rows_hash`."""
    return sql.SQL("encode(sha256(convert_to(ROW({})::text, {})), 'hex')").format(
        sql.SQL(", ").join(expressions), sql.Literal(encoding)
    )
