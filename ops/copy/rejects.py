"""The rows that a copy refused, in ops.copy_rejects."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from ops.content_hash import canonical
from ops.copy.catalogue import Relation
from ops.copy.core import Destination
from ops.copy.judgement import Rule, encoding_rules, fits, judged
from ops.copy.legacy import Legacy
from ops.copy.plan import EVERY, TablePlan
from ops.copy.stream import stream

TABLE = sql.Identifier("ops", "copy_rejects")
COLUMNS = ("table_name", "kind", "reason", "row_data")
_NOT_TOLD = ("copy_kind", "copy_reason", "hashed_password")


def forget_rejects(core: psycopg.Connection, table: str) -> None:
    """Drop what an earlier copy of the table refused: each copy tells its own."""
    core.execute(sql.SQL("DELETE FROM {} WHERE table_name = %s").format(TABLE), [table])


def rejects_by_kind(core: psycopg.Connection, table: str) -> dict[str, int]:
    """How many rows of the table the last copy refused for which kind of reason."""
    query = sql.SQL(
        "SELECT kind, count(*) FROM {} WHERE table_name = %s GROUP BY kind ORDER BY 2 DESC, 1"
    ).format(TABLE)
    return {kind: int(rows) for kind, rows in core.execute(query, [table])}


def fetch_rejects(
    legacy: Legacy,
    core: psycopg.Connection,
    plan: TablePlan,
    rules: Sequence[Rule],
    only: sql.Composable = EVERY,
) -> None:
    """Stream the rows that break a rule, among `only` some, from legacy into Core."""
    rows = sql.SQL("(SELECT {} FROM {} WHERE {}) AS r").format(
        _tellable(plan, plan.source), plan.source.identifier, plan.which(only)
    )
    query = _rejected(plan.table, rows, rules, _sendable(plan))
    stream(legacy.rows(query, plan.table), core, TABLE, COLUMNS)


def store_rejects(
    target: Destination, plan: TablePlan, staging: sql.Composable, rules: Sequence[Rule]
) -> None:
    """Keep the staged rows that break a rule."""
    rows = sql.SQL("{} AS r").format(staging)
    target.write_down(_rejected(plan.table, rows, rules), TABLE, COLUMNS)


def store_ranked(target: Destination, plan: TablePlan, ranked: sql.Composable) -> None:
    """Keep the ranked rows that say why they are not wanted."""
    query = sql.SQL(
        "SELECT {}::text, copy_kind, copy_reason, {} FROM (SELECT {}, copy_kind, copy_reason"
        " FROM {} WHERE copy_kind IS NOT NULL) AS r"
    ).format(sql.Literal(plan.table), _told(), _tellable(plan, plan.target), ranked)
    target.write_down(query, TABLE, COLUMNS)


def _rejected(
    table: str, rows: sql.Composable, rules: Sequence[Rule], told: sql.Composable | None = None
) -> sql.Composed:
    """A query of COLUMNS for those of `rows` (a FROM item named r) that break a rule."""
    return sql.SQL(
        "SELECT {table}::text, ({kind})::text, ({reason})::text, {told} FROM {rows}"
        " WHERE ({kind}) IS NOT NULL"
    ).format(
        table=sql.Literal(table),
        kind=judged(rules, lambda rule: rule.kind),
        reason=judged(rules, lambda rule: rule.reason),
        rows=rows,
        told=told or _told(),
    )


def _sendable(plan: TablePlan) -> sql.Composable:
    """What is kept of a row; in one that is no text, a question mark for each foreign byte."""
    if not (rules := encoding_rules(plan)):
        return _told()
    return sql.SQL(
        "CASE WHEN {} THEN {told} ELSE regexp_replace(({told})::text, {}, '?', 'g')::jsonb END"
    ).format(fits(rules), sql.Literal(f"[{plan.foreign}]"), told=_told())


def _tellable(plan: TablePlan, side: Relation) -> sql.Composable:
    """A row's columns with the types of one side, json so that it can be a part of what is kept."""
    return sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            canonical(sql.Identifier(name), is_json=side.columns[name].type_name == "json"),
            sql.Identifier(name),
        )
        for name in plan.names
    )


def _told() -> sql.Composable:
    """What is kept of the row `r`: all of it but why it was refused, and secrets."""
    return sql.SQL("to_jsonb(r) - {}::text[]").format(sql.Literal(list(_NOT_TOLD)))
