"""Straight into an empty table of the same shape: one binary stream, indexes afterwards."""

import psycopg
from psycopg import sql
from psycopg.errors import ForeignKeyViolation

from ops.books.copies import Fingerprint, record_proof
from ops.copy.catalogue import Column
from ops.copy.core import Destination
from ops.copy.indexes import drop_indexes
from ops.copy.judgement import fits, typed_rules
from ops.copy.kept_ids import names_nothing
from ops.copy.legacy import Legacy
from ops.copy.plan import EVERY, TablePlan
from ops.copy.rejects import fetch_rejects
from ops.copy.report import Guard, Meter
from ops.copy.side_by_side import side_by_side
from ops.copy.stream import stream

_FIRST_THAT_HASHES_RECORDS = 140000
# Types that have no hash, or one that folds their eight bytes into four: their bytes have one.
_SENT = {
    "json": "json_send",
    "bigint": "int8send",
    "timestamp without time zone": "timestamp_send",
    "timestamp with time zone": "timestamptz_send",
}


def is_empty(core: psycopg.Connection, plan: TablePlan) -> bool:
    """Whether Core's table holds no row that this transaction sees."""
    query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(plan.target.identifier)
    row = core.execute(query).fetchone()
    return bool(row and row[0])


def locked_empty(core: psycopg.Connection, plan: TablePlan) -> bool:
    """Keep everybody out of the empty table, so that indexes can go; False if it is not."""
    if not is_empty(core, plan):
        return False
    core.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(plan.target.identifier))
    return is_empty(core, plan)


def load_directly(
    legacy: Legacy, target: Destination, plan: TablePlan, meter: Meter, rows: int
) -> int:
    """Stream the acceptable ones of legacy's `rows` into the empty table; how many there were.

    Legacy's own constraints have shown that no key comes twice, and the types that every value
    fits: what is left to refuse (NULL, NaN, infinite dates) is refused on legacy.

    Raises:
        psycopg.IntegrityError: a key, reference or check of the table does not hold after all, or
            somebody else has written to it meanwhile.
    """
    core = target.session
    if not locked_empty(core, plan):
        raise psycopg.IntegrityError(f"{plan.table} is not empty any more")
    rebuild = drop_indexes(core, plan.target, unique=True)
    acceptable = legacy.rows(_acceptable_rows(plan), plan.table)
    written = stream(acceptable, core, plan.target.identifier, _written(plan), meter)
    if written != rows:
        fetch_rejects(legacy, target.books, plan, typed_rules(plan))
    meter.enter("indexing")
    for build in rebuild:
        core.execute(build)
    if names_nothing(target, plan):
        raise ForeignKeyViolation(f"{plan.table} names rows that are not there")
    return written


def prove(
    legacy: Legacy, target: Destination, plan: TablePlan, found: Fingerprint, guard: Guard
) -> None:
    """Record that parity holds, if the table's committed rows hash as those of legacy that
    `load_directly` sent. Whatever else is there, or cannot be told so, parity finds when asked."""
    versions = (one.info.server_version for one in (legacy.connection, target.session))
    if min(versions) < _FIRST_THAT_HASHES_RECORDS:
        return
    sent = fits(typed_rules(plan)) if found.rejected_rows else EVERY
    there, here = side_by_side(
        lambda: legacy.row(_hash(plan, plan.source_rows, sent), plan.table),
        lambda: target.session.execute(_hash(plan, plan.target.identifier, EVERY)).fetchone(),
    )
    if there != here:
        return
    with target.books.transaction():
        record_proof(target.books, plan.table, found)
        guard(target.books)


def _hash(plan: TablePlan, rows: sql.Composable, which: sql.Composable) -> sql.Composed:
    """The number of rows, and a sum over a hash of each; as a text it is hashed once more, because
    that of a record is itself a sum over its columns, so that rows could exchange values."""
    return sql.SQL(
        "SELECT count(*), sum(hashtextextended(hash_record_extended(ROW({}), 0)::text, 0))"
        " FROM {} WHERE {}"
    ).format(sql.SQL(", ").join(map(_hashable, plan.columns)), rows, which)


def _hashable(column: Column) -> sql.Composable:
    """A value of which the server hashes each bit, to the same number in every database."""
    own = sql.Identifier(column.name)
    send = "enum_send" if column.labels else _SENT.get(column.type_name)
    return own if send is None else sql.SQL("{}({})").format(sql.SQL(send), own)


def _written(plan: TablePlan) -> list[str]:
    return [column.name for column in (*plan.columns, *plan.filled)]


def _acceptable_rows(plan: TablePlan) -> sql.Composed:
    values = [
        *(sql.Identifier(name) for name in plan.names),
        *(plan.fill(column) for column in plan.filled),
    ]
    return sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(values), plan.source_rows, fits(typed_rules(plan))
    )
