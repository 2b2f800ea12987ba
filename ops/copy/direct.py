"""Straight into an empty table of the same shape: one binary stream, indexes afterwards."""

from hashlib import blake2b

import psycopg
from psycopg import sql

from ops.copy.core import Destination
from ops.copy.indexes import drop_indexes
from ops.copy.judgement import fits, typed_rules
from ops.copy.legacy import Legacy
from ops.copy.plan import TablePlan
from ops.copy.rejects import fetch_rejects
from ops.copy.report import Meter
from ops.copy.stream import digest_of, stream


def is_empty(core: psycopg.Connection, plan: TablePlan) -> bool:
    """Whether Core's table holds no row that this transaction sees."""
    query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(plan.target.identifier)
    row = core.execute(query).fetchone()
    return bool(row and row[0])


def load_directly(
    legacy: Legacy, target: Destination, plan: TablePlan, meter: Meter
) -> tuple[int, bytes]:
    """Stream the acceptable rows into the empty table; how many there were, and a digest of them.

    Legacy's own constraints have shown that no key comes twice, and the types that every value
    fits: what is left to refuse (NULL, NaN, infinite dates) is refused on legacy.

    Raises:
        psycopg.IntegrityError: a key, reference or check of the table does not hold after all.
    """
    core = target.session
    fetch_rejects(legacy, target.books, plan, typed_rules(plan))
    rebuild = drop_indexes(core, plan.target, unique=True)
    digest = blake2b()
    rows = legacy.rows(_acceptable_rows(plan), plan.table)
    written = stream(rows, core, plan.target.identifier, _written(plan), meter, digest)
    meter.enter("indexing")
    for build in rebuild:
        core.execute(build)
    return written, digest.digest()


def reads_as_streamed(core: psycopg.Connection, plan: TablePlan, digest: bytes) -> bool:
    """Whether the table's committed rows are, byte for byte, those that `load_directly` sent. False
    says nothing: a table that was not always empty may have put them in another order."""
    return digest_of(core, plan.target.identifier, _written(plan)) == digest


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
