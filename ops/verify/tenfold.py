"""Temporary copies of tables with ten times the rows, as a planner sees them in a few years.

A copy hides its original from the queries of its session, and is gone when the transaction or the
session ends, however it ends. Nobody else sees it, and nothing of it is logged.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

import psycopg
from psycopg import sql

from app.models import Base
from ops.connection import first_value
from ops.sql_files import statement

TIMES = 10
# Past this many rows a plan does not change any more; copies would only cost time and disk.
MOST_ROWS = 2_500_000

# What grows with time or with the number of portfolios, and how: the column that differs between
# the copies of a row.
_MORE_DAYS = sql.SQL("(t.{column} - 10000 * n)")
_MORE_TIMES = sql.SQL("(t.{column} - n * interval '10000 days')")
_MORE_OWNERS = sql.SQL("owners.renewed")
_GROWTH: Mapping[str, tuple[str, sql.SQL]] = MappingProxyType(
    {
        "portfolio_snapshots": ("snapshot_date", _MORE_DAYS),
        "position_factor_exposures": ("calculation_date", _MORE_DAYS),
        "market_data_cache": ("date", _MORE_DAYS),
        "correlation_calculations": ("calculation_date", _MORE_TIMES),
        "positions": ("portfolio_id", _MORE_OWNERS),
        "pairwise_correlations": ("correlation_calculation_id", _MORE_OWNERS),
    }
)
GROWING_TABLES = frozenset(_GROWTH)

_COPY = sql.SQL(
    "CREATE TEMP TABLE {table} ON COMMIT DROP AS "
    "SELECT {columns} FROM {original} AS t CROSS JOIN generate_series(0, {more}) AS n"
)
# The first keeps its owner, so that the parameters of the queries still occur.
_COPY_WITH_OWNERS = sql.SQL(
    "CREATE TEMP TABLE {table} ON COMMIT DROP AS "
    "SELECT {columns} FROM {original} AS t JOIN ("
    "SELECT known.{column}, "
    "CASE n WHEN 0 THEN known.{column} ELSE gen_random_uuid() END AS renewed "
    "FROM (SELECT DISTINCT {column} FROM {original}) AS known "
    "CROSS JOIN generate_series(0, {more}) AS n"
    ") AS owners USING ({column})"
)


def multiply(connection: psycopg.Connection, table: str, indexes: Collection[str]) -> int:
    """Make the copy, with the named indexes of the original; returns its rows. It has ten times
    the rows or as many times as stay below MOST_ROWS; an original beyond half of that needs none.
    """
    live = count_rows(connection, table)
    times = min(TIMES, MOST_ROWS // max(live, 1))
    if times < 2:
        return live
    connection.execute(_copy_statement(table, times))
    for name, definition in _definitions(connection, table):
        if name in indexes:
            connection.execute(_onto_the_copy(definition, table))
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("pg_temp", table)))
    return live * times


def count_rows(connection: psycopg.Connection, table: str) -> int:
    """The rows of an original."""
    original = sql.Identifier("public", table)
    return int(first_value(connection, sql.SQL("SELECT count(*) FROM {}").format(original)))


def all_indexes(connection: psycopg.Connection, table: str) -> frozenset[str]:
    """The names of a table's usable indexes."""
    return frozenset(name for name, _ in _definitions(connection, table))


def _copy_statement(table: str, times: int) -> sql.Composed:
    grown, growth = _GROWTH[table]
    column = sql.Identifier(grown)
    columns = [
        sql.SQL("{} AS {}").format(growth.format(column=column), column)
        if each.name == grown
        else sql.Identifier("t", each.name)
        for each in Base.metadata.tables[table].columns
    ]
    shape = _COPY_WITH_OWNERS if growth is _MORE_OWNERS else _COPY
    return shape.format(
        table=sql.Identifier(table),
        original=sql.Identifier("public", table),
        columns=sql.SQL(", ").join(columns),
        column=column,
        more=sql.Literal(times - 1),
    )


def _definitions(connection: psycopg.Connection, table: str) -> list[tuple[str, str]]:
    values = {"table": f"public.{table}"}
    return connection.execute(statement("verify/index_definitions"), values).fetchall()


def _onto_the_copy(definition: str, table: str) -> bytes:
    """The server's own statement for an index, turned to the copy."""
    return re.sub(rf" ON public\.{table} ", f" ON pg_temp.{table} ", definition, count=1).encode()
