"""Which user-owned rows were copied, and which of them legacy has deleted since."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
from psycopg import sql

from ops.copy.core import Destination
from ops.copy.legacy import Legacy
from ops.copy.plan import TablePlan
from ops.copy.stream import rows_of, stream

_ARRIVING = sql.Identifier("pg_temp", "copy_arriving_keys")
_LEGACY = sql.Identifier("pg_temp", "copy_legacy_keys")
_BATCH = 10_000


def has_copied_keys(books: psycopg.Connection, table: str) -> bool:
    """Whether any row of the table was copied before."""
    query = "SELECT EXISTS (SELECT FROM ops.copied_keys WHERE table_name = %s)"
    row = books.execute(query, [table]).fetchone()
    return bool(row and row[0])


def record_keys(
    target: Destination, books: psycopg.Connection, plan: TablePlan, staged: sql.Identifier
) -> None:
    """Remember the ids of the staged rows that stay, in the open transaction of `books`."""
    query = sql.SQL("SELECT id FROM {} WHERE copy_rank = 1").format(staged)
    if books is target.session:
        found: sql.Composable = query
    else:
        books.execute("CREATE TEMPORARY TABLE copy_arriving_keys (id uuid) ON COMMIT DROP")
        stream(rows_of(target.session, query), books, _ARRIVING, ["id"])
        found = sql.SQL("SELECT id FROM {}").format(_ARRIVING)
    books.execute(
        sql.SQL(
            "INSERT INTO ops.copied_keys (table_name, key) SELECT {}, id FROM ({}) AS found"
            " ON CONFLICT DO NOTHING"
        ).format(sql.Literal(plan.table), found)
    )


def forget_keys(books: psycopg.Connection, table: str, keys: list[UUID]) -> None:
    """Forget keys of rows that are gone on both sides."""
    books.execute(
        "DELETE FROM ops.copied_keys WHERE table_name = %s AND key = ANY(%s)", [table, keys]
    )


def gone_keys(legacy: Legacy, books: psycopg.Connection, plan: TablePlan) -> Iterator[list[UUID]]:
    """Batches of the keys that were copied and that legacy has no more. Within a transaction of
    `books`; a batch may be forgotten before the next is asked for."""
    books.execute("CREATE TEMPORARY TABLE copy_legacy_keys (key text) ON COMMIT DROP")
    query = sql.SQL("SELECT id::text FROM {} WHERE id IS NOT NULL").format(plan.source_rows)
    stream(legacy.rows(query, plan.table), books, _LEGACY, ["key"])
    if plan.source.columns["id"].type_name != "uuid":  # one id can be spelt in several ways
        books.execute(
            sql.SQL(
                "UPDATE {} SET key = key::uuid::text WHERE pg_input_is_valid(key, 'uuid')"
            ).format(_LEGACY)
        )
    gone = books.execute(
        sql.SQL(
            "SELECT c.key FROM ops.copied_keys AS c WHERE c.table_name = %s AND NOT EXISTS"
            " (SELECT FROM {} AS k WHERE k.key = c.key::text) ORDER BY c.key"
        ).format(_LEGACY),
        [plan.table],
    )
    while batch := gone.fetchmany(_BATCH):
        yield [row[0] for row in batch]
