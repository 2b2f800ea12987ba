"""Parity: every legacy row that a copy accepts is found equal in Core."""

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.content_hash import rows_hash
from ops.copy.core import core_session
from ops.copy.groups import TableSpec, specs_of
from ops.copy.judgement import fits, typed_rules
from ops.copy.legacy import Legacy, legacy_snapshot
from ops.copy.merge import differs, missing, missing_or_different, same_key
from ops.copy.plan import TablePlan, plan_table
from ops.copy.report import Meter, ignore_progress
from ops.copy.staging import RANKED, stage

EXAMPLES = 5


@dataclass(frozen=True)
class TableParity:
    """How a table of Core stands to legacy's.

    Attributes:
        legacy_rows: acceptable rows of legacy.
        missing: of these, how many Core lacks.
        different: how many Core has with other content (surrogate ids, created_at and updated_at
            are none).
        examples: natural keys of the first of both.
        compared_by: `hash` of both sides, `rows` one by one, or `absent` from legacy.
    """

    table: str
    legacy_rows: int
    missing: int = 0
    different: int = 0
    examples: tuple[str, ...] = ()
    compared_by: Literal["hash", "rows", "absent"] = "hash"

    @property
    def holds(self) -> bool:
        return not (self.missing or self.different)


def parity(legacy_url: URL, core_url: URL, group: str = "market") -> list[TableParity]:
    """Compare the group's acceptable legacy rows with Core, each table in the group's order.

    Nothing is kept: where the hashes differ (Core may rightly have more rows), legacy's rows are
    staged in a transaction that is rolled back.

    Raises:
        BadInputError: there is no such group, or legacy cannot be read.
        WrongDatabaseError: Core lacks a table.
    """
    specs = specs_of(group)
    with core_session(core_url) as core, legacy_snapshot(legacy_url) as legacy:
        return [_table_parity(legacy, core, spec) for spec in specs]


def _table_parity(legacy: Legacy, core: psycopg.Connection, spec: TableSpec) -> TableParity:
    plan = plan_table(legacy, core, spec)
    if plan is None:
        return TableParity(spec.table, 0, compared_by="absent")
    return _by_hash(legacy, core, plan) or _by_rows(legacy, core, plan)


def _by_hash(legacy: Legacy, core: psycopg.Connection, plan: TablePlan) -> TableParity | None:
    if not (plan.typed and plan.unique):
        return None
    wanted = legacy.hash(plan.source, plan.compared(), fits(typed_rules(plan)))
    if rows_hash(core, plan.target.identifier, plan.compared()) != wanted:
        return None
    return TableParity(plan.table, wanted.rows)


def _by_rows(legacy: Legacy, core: psycopg.Connection, plan: TablePlan) -> TableParity:
    with core.transaction(force_rollback=True):
        accepted = stage(legacy, core, plan, Meter(plan.table, 0, ignore_progress))
        row = core.execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE {missing}),"
                " count(*) FILTER (WHERE NOT {missing} AND {differs}) FROM {pairs}"
            ).format(
                missing=missing(plan, "t"), differs=differs(plan, "t", "s"), pairs=_pairs(plan)
            )
        ).fetchone()
        lacking, different = row or (0, 0)
        examples = _examples(core, plan) if lacking or different else ()
    return TableParity(plan.table, accepted, lacking, different, examples, "rows")


def _examples(core: psycopg.Connection, plan: TablePlan) -> tuple[str, ...]:
    keys = [sql.Identifier("s", name) for name in plan.spec.natural_key]
    rows = core.execute(
        sql.SQL(
            "SELECT concat_ws(', ', {keys}) FROM {pairs} WHERE {unequal} ORDER BY {keys}"
            " LIMIT {limit}"
        ).format(
            keys=sql.SQL(", ").join(keys),
            pairs=_pairs(plan),
            unequal=missing_or_different(plan, "t", "s"),
            limit=sql.Literal(EXAMPLES),
        )
    )
    return tuple(row[0] for row in rows)


def _pairs(plan: TablePlan) -> sql.Composed:
    """A FROM item: each acceptable legacy row s beside Core's row t, if there is one."""
    return sql.SQL("(SELECT * FROM {} WHERE copy_rank = 1) AS s LEFT JOIN {} AS t ON {}").format(
        RANKED, plan.target.identifier, same_key(plan, "t", "s")
    )
