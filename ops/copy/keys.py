"""Which user-owned rows were copied, and which of them legacy has deleted since."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg import sql

from ops.copy.core import Destination
from ops.copy.legacy import Legacy
from ops.copy.merge import same_key
from ops.copy.plan import EVERY, TablePlan
from ops.copy.side_by_side import side_by_side
from ops.copy.stream import rows_of, stream
from ops.copy.table_state import StateChange
from ops.sql_files import statement

_ARRIVING = sql.Identifier("pg_temp", "copy_arriving_keys")
_LEGACY = sql.Identifier("pg_temp", "copy_legacy_keys")
_BATCH = 10_000
# More rows than these are compared as fast by the hashes of all.
_FEW = 10_000
# A power of two: keys differ in few of them where few keys are gone.
_PARTS = 1024
_FIRST_VERSION_WITH_HASHES = 110000  # uuid_hash_extended


def has_copied_keys(books: psycopg.Connection, table: str) -> bool:
    """Whether any row of the table was copied before."""
    query = "SELECT EXISTS (SELECT FROM ops.copied_keys WHERE table_name = %s)"
    row = books.execute(query, [table]).fetchone()
    return bool(row and row[0])


def record_keys(
    target: Destination, books: psycopg.Connection, plan: TablePlan, arrived: sql.Composable
) -> None:
    """Remember the target's ids of the rows that `arrived` (a FROM item), in the open transaction
    of `books`; in their order, in which an index takes them fastest. To look for conflicts takes as
    long again, so it is done only where there can be any."""
    query = sql.SQL("SELECT id FROM {} AS a ORDER BY id").format(arrived)
    if not plan.spec.keeps_ids:
        query = sql.SQL("SELECT t.id FROM {} AS a JOIN {} AS t ON {}").format(
            arrived, plan.target.identifier, same_key(plan, "a", "t")
        )
    if books is target.session:
        found: sql.Composable = query
    else:
        books.execute("CREATE TEMPORARY TABLE copy_arriving_keys (id uuid) ON COMMIT DROP")
        stream(rows_of(target.session, query), books, _ARRIVING, ["id"])
        found = sql.SQL("SELECT id FROM {}").format(_ARRIVING)
    known = sql.SQL("ON CONFLICT DO NOTHING" if has_copied_keys(books, plan.table) else "")
    books.execute(
        sql.SQL(
            "INSERT INTO ops.copied_keys (table_name, key) SELECT {}, id FROM ({}) AS found {}"
        ).format(sql.Literal(plan.table), found, known)
    )


def forget_keys(books: psycopg.Connection, table: str, keys: list[UUID]) -> None:
    """Forget keys of rows that are gone on both sides."""
    books.execute(
        "DELETE FROM ops.copied_keys WHERE table_name = %s AND key = ANY(%s)", [table, keys]
    )


def none_is_gone(
    legacy: Legacy, books: psycopg.Connection, plan: TablePlan, source: StateChange | None
) -> bool:
    """Whether numbers alone say that legacy still has every row that was copied: then as many keys
    are known as there were rows, and those rows that may be new are one more for each key that is
    not known. False where it takes a look at the keys.

    Args:
        source: how legacy's table is seen beside the last copy, which rejected none of its rows.
    """
    if source is None or source.new_rows is None or source.newer is None:
        return False
    if source.new_rows > _FEW or not plan.unique or not _named_by_uuid(plan):
        return False
    query = sql.SQL("SELECT array_agg(id) FROM {} WHERE {}").format(
        plan.source.identifier, plan.which(source.newer)
    )
    [newer] = legacy.row(query, plan.table) or [None]
    asked = {"table": plan.table, "ids": newer or []}
    row = books.execute(statement("copy/known_keys"), asked).fetchone()
    known, unknown = row or (0, 0)
    return bool(known == source.before and known + unknown == source.seen.rows)


def gone_keys(legacy: Legacy, books: psycopg.Connection, plan: TablePlan) -> Iterator[list[UUID]]:
    """Batches of the keys that were copied and that legacy has no more. Within a transaction of
    `books`; a batch may be forgotten before the next is asked for."""
    [own] = plan.spec.natural_key
    named: sql.Composable = sql.SQL("c.key::text")
    if not plan.spec.keeps_ids:  # those of Core alone, where no legacy has a say in ids
        named = sql.SQL("(SELECT t.{}::text FROM {} AS t WHERE t.id = c.key)").format(
            sql.Identifier(own), plan.target.identifier
        )
    parts = _unequal_parts(legacy, books, plan)
    if parts is not None and not parts:
        return
    books.execute("CREATE TEMPORARY TABLE copy_legacy_keys (key text) ON COMMIT DROP")
    query = sql.SQL("SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL AND {2}").format(
        sql.Identifier(own), plan.source_rows, _among(parts, own)
    )
    stream(legacy.rows(query, plan.table), books, _LEGACY, ["key"])
    # One id can be spelt in several ways.
    if plan.spec.keeps_ids and plan.source.columns[own].type_name != "uuid":
        books.execute(
            sql.SQL(
                "UPDATE {} SET key = key::uuid::text WHERE pg_input_is_valid(key, 'uuid')"
            ).format(_LEGACY)
        )
    gone = books.execute(
        sql.SQL(
            "SELECT c.key FROM ops.copied_keys AS c WHERE c.table_name = %s AND {} AND NOT EXISTS"
            " (SELECT FROM {} AS k WHERE k.key = {}) ORDER BY c.key"
        ).format(_among(parts, "key"), _LEGACY, named),
        [plan.table],
    )
    while batch := gone.fetchmany(_BATCH):
        yield [row[0] for row in batch]


def _unequal_parts(
    legacy: Legacy, books: psycopg.Connection, plan: TablePlan
) -> Sequence[int] | None:
    """The parts of the keys, of `_PARTS` by their hash, in which legacy differs from what was
    copied; None where all must be looked at, since legacy can hash no key."""
    version = legacy.connection.info.server_version
    if not _named_by_uuid(plan) or version < _FIRST_VERSION_WITH_HASHES:
        return None
    copied = sql.SQL("(SELECT key FROM ops.copied_keys WHERE table_name = {}) AS copied").format(
        sql.Literal(plan.table)
    )
    with legacy.reading(plan.table):
        there, here = side_by_side(
            lambda: _parts(legacy.connection, plan.source_rows, "id"),
            lambda: _parts(books, copied, "key"),
        )
    return sorted({part for part, _, _ in there ^ here})


def _named_by_uuid(plan: TablePlan) -> bool:
    """Whether both sides name rows by the same ids, spelt in one way."""
    return plan.spec.keeps_ids and plan.source.columns["id"].type_name == "uuid"


def _parts(
    connection: psycopg.Connection, rows: sql.Composable, key: str
) -> set[tuple[int, int, Decimal]]:
    """Of each part that holds keys: which, how many they are, and the sum of their hashes."""
    query = sql.SQL(
        "SELECT {part}, count(*), sum(uuid_hash_extended({key}, 0)) FROM {rows}"
        " WHERE {key} IS NOT NULL GROUP BY 1"
    )
    found = connection.execute(query.format(part=_part(key), key=sql.Identifier(key), rows=rows))
    return set(found.fetchall())


def _among(parts: Sequence[int] | None, key: str) -> sql.Composable:
    """A condition: the key is in one of the parts; None are all."""
    if parts is None:
        return EVERY
    return sql.SQL("{} = ANY({})").format(_part(key), sql.Literal(list(parts)))


def _part(key: str) -> sql.Composed:
    return sql.SQL("(uuid_hash_extended({}, 0) & {})").format(
        sql.Identifier(key), sql.Literal(_PARTS - 1)
    )
