"""Straight into an empty table of the same shape: one binary stream, indexes afterwards."""

import psycopg
from psycopg import sql
from psycopg.errors import ForeignKeyViolation

from ops.books.copies import Fingerprint, record_proof
from ops.copy.core import Destination
from ops.copy.indexes import drop_indexes
from ops.copy.judgement import fits, typed_rules
from ops.copy.kept_ids import names_nothing
from ops.copy.legacy import Legacy
from ops.copy.plan import TablePlan
from ops.copy.rejects import fetch_rejects
from ops.copy.report import Guard, Meter
from ops.copy.stream import RowsDigest, digest_of, stream


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
) -> tuple[int, RowsDigest]:
    """Stream the acceptable ones of legacy's `rows` into the empty table; how many there were, and
    a digest of them.

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
    digest = RowsDigest()
    acceptable = legacy.rows(_acceptable_rows(plan), plan.table)
    written = stream(acceptable, core, plan.target.identifier, _written(plan), meter, digest)
    if written != rows:
        fetch_rejects(legacy, target.books, plan, typed_rules(plan))
    meter.enter("indexing")
    for build in rebuild:
        core.execute(build)
    if names_nothing(target, plan):
        raise ForeignKeyViolation(f"{plan.table} names rows that are not there")
    return written, digest


def prove(
    target: Destination, plan: TablePlan, digest: RowsDigest, found: Fingerprint, guard: Guard
) -> None:
    """Record that parity holds, if the table's committed rows are, byte for byte, those that
    `load_directly` sent. Whatever else is there, parity finds when it is asked."""
    if digest_of(target.session, plan.target.identifier, _written(plan)) != digest:
        return
    with target.books.transaction():
        record_proof(target.books, plan.table, found)
        guard(target.books)


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
