"""The rows that a copy refused, in ops.copy_rejects."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from ops.copy.judgement import Rule, judged
from ops.copy.legacy import Legacy
from ops.copy.plan import TablePlan
from ops.copy.stream import stream

TABLE = sql.Identifier("ops", "copy_rejects")
COLUMNS = ("table_name", "kind", "reason", "row_data")


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
    legacy: Legacy, core: psycopg.Connection, plan: TablePlan, rules: Sequence[Rule]
) -> None:
    """Stream the rows that break a rule from legacy into Core."""
    columns = sql.SQL(", ").join(map(sql.Identifier, plan.names))
    rows = sql.SQL("(SELECT {} FROM {}) AS r").format(columns, plan.source.identifier)
    query = _rejected(plan.table, rows, rules)
    stream(legacy.rows(query, plan.table), core, TABLE, COLUMNS)


def store_rejects(
    core: psycopg.Connection, plan: TablePlan, staging: sql.Composable, rules: Sequence[Rule]
) -> None:
    """Keep the staged rows that break a rule."""
    rows = sql.SQL("{} AS r").format(staging)
    _insert(core, _rejected(plan.table, rows, rules))


def store_duplicates(core: psycopg.Connection, plan: TablePlan, ranked: sql.Composable) -> None:
    """Keep the ranked rows that lost against another one with the same natural key."""
    key = sql.SQL(", ").join(map(sql.Identifier, plan.spec.natural_key))
    query = sql.SQL(
        "SELECT {table}::text, kind, kind || ' of ' || concat_ws(', ', {key}),"
        " to_jsonb(r) - 'copy_rank' - 'copy_age' - 'kind'"
        " FROM (SELECT *, CASE WHEN copy_age > 1 THEN 'older duplicate' ELSE 'duplicate' END"
        " AS kind FROM {ranked} WHERE copy_rank > 1) AS r"
    ).format(table=sql.Literal(plan.table), key=key, ranked=ranked)
    _insert(core, query)


def _rejected(table: str, rows: sql.Composable, rules: Sequence[Rule]) -> sql.Composed:
    """A query of COLUMNS for those of `rows` (a FROM item named r) that break a rule."""
    return sql.SQL(
        "SELECT {table}::text, ({kind})::text, ({reason})::text, to_jsonb(r) FROM {rows}"
        " WHERE ({kind}) IS NOT NULL"
    ).format(
        table=sql.Literal(table),
        kind=judged(rules, lambda rule: rule.kind),
        reason=judged(rules, lambda rule: rule.reason),
        rows=rows,
    )


def _insert(core: psycopg.Connection, query: sql.Composable) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    core.execute(sql.SQL("INSERT INTO {} ({}) {}").format(TABLE, columns, query))
