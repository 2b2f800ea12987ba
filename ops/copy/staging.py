"""The way into a table that is not empty, or out of one that is not like ours.

Rows arrive in a temporary table: with Core's types where legacy has them too, else as text that is
judged there. Of each natural key the newest row is kept; the rest is rejected.
"""

from collections.abc import Iterable

import psycopg
from psycopg import sql

from ops.content_hash import canonical
from ops.copy.catalogue import Column
from ops.copy.core import Destination
from ops.copy.errors import CoreTooOldError
from ops.copy.judgement import (
    JSON_TYPES,
    cast_from_text,
    encoding_rules,
    fits,
    text_rules,
    typed_rules,
)
from ops.copy.kept_ids import refuse_unfit
from ops.copy.legacy import Legacy
from ops.copy.plan import EVERY, TablePlan
from ops.copy.rejects import fetch_rejects, store_ranked, store_rejects
from ops.copy.report import Meter
from ops.copy.stream import stream

ARRIVED = sql.Identifier("pg_temp", "copy_arrived")
RANKED = sql.Identifier("pg_temp", "copy_ranked")
# A FROM item: the staged rows that stay.
KEPT = sql.SQL("(SELECT * FROM {} WHERE copy_rank = 1)").format(RANKED)

# What is said of a row that is older than the one of its key that stays.
OLDER = "older duplicate"

FIRST_VERSION_THAT_CHECKS_TEXT = 160000  # pg_input_is_valid


def stage(
    legacy: Legacy,
    target: Destination,
    plan: TablePlan,
    meter: Meter,
    only: sql.Composable = EVERY,
) -> int:
    """Fill `RANKED` with the acceptable rows and store the others; how many rows stay.

    A row of `RANKED` stays if its copy_rank is 1. Everything is gone at the end of the transaction.

    Args:
        only: a condition over legacy's columns that takes some of the rows.
    """
    core = target.session
    if plan.typed:
        _receive_typed(legacy, target, plan, meter, only)
        _rank(core, plan, sql.SQL("SELECT * FROM {}").format(ARRIVED))
    else:
        _receive_text(legacy, target, plan, meter, only)
        rules = text_rules(plan)
        casts = [
            sql.SQL("{} AS {}").format(cast_from_text(plan, column), sql.Identifier(column.name))
            for column in plan.columns
        ]
        rows = sql.SQL("SELECT {}, {} AS copy_rounded FROM {} WHERE {}")
        _rank(core, plan, rows.format(_list(casts), _rounded(plan), ARRIVED, fits(rules)))
        store_rejects(target, plan, ARRIVED, rules)
    _refuse_duplicates(core, plan)
    if plan.spec.keeps_ids:
        refuse_unfit(target, plan, RANKED)
    store_ranked(target, plan, RANKED)
    kept = sql.SQL("SELECT count(*) FROM {} WHERE copy_rank = 1").format(RANKED)
    row = core.execute(kept).fetchone()
    return int(row[0]) if row else 0


def roundings(core: psycopg.Connection, plan: TablePlan) -> dict[str, int]:
    """By column, of how many of the staged rows that stay a number was rounded."""
    if plan.typed or not plan.rounded:
        return {}
    query = (
        "SELECT unnest(copy_rounded), count(*) FROM {} WHERE copy_rank = 1 GROUP BY 1 ORDER BY 1"
    )
    return dict(core.execute(sql.SQL(query).format(RANKED)).fetchall())


def _rounded(plan: TablePlan) -> sql.Composed:
    """Of a row of texts, the columns of which a number has more decimals than its type keeps."""
    more = sql.SQL("CASE WHEN {0}::numeric <> {0}::{1} THEN {2} END")
    names = _list(
        more.format(sql.Identifier(one.name), sql.SQL(one.type_name), sql.Literal(one.name))
        for one in plan.rounded
    )
    return sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(names)


def _receive_typed(
    legacy: Legacy, target: Destination, plan: TablePlan, meter: Meter, only: sql.Composable
) -> None:
    rules = typed_rules(plan)
    fetch_rejects(legacy, target.books, plan, rules, only)
    _create(target.session, [(column, column.type_name) for column in plan.columns])
    query = sql.SQL("SELECT {} FROM {} WHERE {} AND {}").format(
        _list(map(sql.Identifier, plan.names)),
        plan.source.identifier,
        plan.which(only),
        fits(rules),
    )
    stream(legacy.rows(query, plan.table), target.session, ARRIVED, plan.names, meter)


def _receive_text(
    legacy: Legacy, target: Destination, plan: TablePlan, meter: Meter, only: sql.Composable
) -> None:
    core, rules = target.session, encoding_rules(plan)
    if core.info.server_version < FIRST_VERSION_THAT_CHECKS_TEXT:
        raise CoreTooOldError(
            f"{plan.table!r} of legacy has other types than Core; checking its values needs "
            f"PostgreSQL 16 or later in Core, which runs {core.info.server_version // 10000}"
        )
    _create(core, [(column, "text") for column in plan.columns])
    texts = [_as_text(plan, column) for column in plan.columns]
    if rules:
        fetch_rejects(legacy, target.books, plan, rules, only)
    query = sql.SQL("SELECT {} FROM {} WHERE {} AND {}").format(
        _list(texts), plan.source.identifier, plan.which(only), fits(rules)
    )
    stream(legacy.rows(query, plan.table), core, ARRIVED, plan.names, meter)


def _as_text(plan: TablePlan, column: Column) -> sql.Composed:
    """What legacy says in a column; of an array that becomes json not its own way to write it, in
    which an empty one is an empty object."""
    array = plan.source.columns[column.name].type_name.endswith("[]")
    text = "to_json({})::text" if array and column.type_name in JSON_TYPES else "{}::text"
    return sql.SQL(text).format(sql.Identifier(column.name))


def _create(core: psycopg.Connection, columns: list[tuple[Column, str]]) -> None:
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(type_name))
        for column, type_name in columns
    ]
    core.execute(
        sql.SQL("CREATE TEMPORARY TABLE copy_arrived ({}) ON COMMIT DROP").format(
            _list(definitions)
        )
    )


def _rank(core: psycopg.Connection, plan: TablePlan, rows: sql.Composable) -> None:
    """Number the rows of each natural key, newest first; equally old ones by their values."""
    newest: list[sql.Composable] = []
    if plan.spec.newest_by in plan.names:
        newest.append(sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(plan.spec.newest_by)))
    key = _list(map(sql.Identifier, plan.spec.natural_key))
    others = [column for column in plan.columns if column.name not in plan.spec.natural_key]
    values = [
        sql.SQL("{} DESC NULLS LAST").format(
            canonical(sql.Identifier(column.name), is_json=column.type_name == "json")
        )
        for column in others
    ]
    core.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE copy_ranked ON COMMIT DROP AS SELECT r.*,"
            " row_number() OVER (PARTITION BY {key} ORDER BY {total}) AS copy_rank,"
            " rank() OVER (PARTITION BY {key} ORDER BY {newest}) AS copy_age,"
            " NULL::text AS copy_kind, NULL::text AS copy_reason"
            " FROM ({rows}) AS r"
        ).format(
            key=key,
            total=_list([*newest, *values]) if others else key,
            newest=_list(newest) if newest else key,
            rows=rows,
        )
    )
    core.execute(sql.SQL("ANALYZE {}").format(RANKED))


def _refuse_duplicates(core: psycopg.Connection, plan: TablePlan) -> None:
    """Of rows with one natural key all but the first are told why they do not stay."""
    key = _list(map(sql.Identifier, plan.spec.natural_key))
    core.execute(
        sql.SQL(
            "UPDATE {ranked} SET copy_kind = {kind},"
            " copy_reason = {kind} || ' of ' || concat_ws(', ', {key}) WHERE copy_rank > 1"
        ).format(
            ranked=RANKED,
            kind=sql.SQL("CASE WHEN copy_age > 1 THEN {} ELSE 'duplicate' END").format(OLDER),
            key=key,
        )
    )


def _list(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
