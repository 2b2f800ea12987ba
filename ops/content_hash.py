"""Content hashes: whether two sides hold the same rows.

A row is written as one canonical text of what is compared, json as jsonb (as its own text where
jsonb refuses it), NULL distinct from an empty text. The session settings on which texts depend are
those of `ops.connection.connect`, so hash only over such a connection.

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
# What json holds and jsonb refuses: no character, half of a pair, a number beyond its range; and
# in a database that is not UTF-8, characters that it may not have.
_BESIDE_UNICODE = (
    r"(?<!\\)(\\\\)*\\u(0000"
    r"|[dD][89abAB][[:xdigit:]]{2}(?!\\u[dD][c-fC-F])"
    r"|[dD][c-fC-F](?<!\\u[dD][89abAB][[:xdigit:]]{2}\\u[dD][c-fC-F]))"
    r"|(^|[,:[])\s*-?[0-9.]+[eE][-+]?[0-9]{5}"
)
_RARE = r"\\u|[eE][-+]?[0-9]{5}"  # what all of it contains, and the server finds fast
_BESIDE_ASCII = rf"\\u(?!00[0-7])|{_BESIDE_UNICODE}"


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
    if not is_json:
        return column
    return sql.SQL(
        "CASE WHEN pg_typeof({0}) = 'json'::regtype AND {0}::text ~ {3} AND {0}::text ~"
        " CASE getdatabaseencoding() WHEN 'UTF8' THEN {1} ELSE {2} END"
        " THEN to_jsonb({0}::text) ELSE {0}::jsonb END"
    ).format(column, *map(sql.Literal, (_BESIDE_UNICODE, _BESIDE_ASCII, _RARE)))


def row_digest(expressions: Sequence[sql.Composable], encoding: str = "UTF8") -> sql.Composed:
    """The SHA-256 of a row's expressions, as an expression; see `rows_hash`."""
    return sql.SQL("encode(sha256(convert_to(ROW({})::text, {})), 'hex')").format(
        sql.SQL(", ").join(expressions), sql.Literal(encoding)
    )
