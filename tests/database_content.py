"""The content of a whole database, whatever its surrogate ids: equal for two that hold the same.

Each foreign key is replaced by the natural key of the row that it names. Left out are surrogate
ids, created_at, updated_at, durations and the clock times of a run, which differ between two equal
runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import psycopg
from psycopg import sql
from sqlalchemy import JSON, Column, Table
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect
from ops.content_hash import TableHash, canonical, row_digest, rows_hash

# How a row that others refer to is recognised in another database. A conversation has nothing but
# the instant at which its user began it. Foreign keys in a natural key are themselves resolved.
NATURAL_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "users": ("email",),
        "portfolios": ("user_id", "account_name"),
        "positions": (
            "portfolio_id",
            "symbol",
            "position_type",
            "entry_date",
            "entry_price",
            "quantity",
            "expiration_date",
            "strike_price",
        ),
        "tags_v2": ("user_id", "name", "is_archived"),
        "factor_definitions": ("name",),
        "stress_test_scenarios": ("scenario_id",),
        "correlation_calculations": ("portfolio_id", "duration_days", "calculation_date"),
        "correlation_clusters": ("correlation_calculation_id", "cluster_number"),
        "agent_conversations": ("user_id", "created_at"),
    }
)

# References that no foreign key declares. Those of the AI tables to Core stay as they are: the row
# that they name lives in another database.
_LOGICAL_REFERENCES = MappingProxyType({("agent_conversations", "user_id"): "users"})

_LEFT_OUT_EVERYWHERE = frozenset({"id", "created_at", "updated_at"})
_LEFT_OUT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "users": frozenset({"hashed_password"}),  # a new salt each time the user is seeded
        "position_tags": frozenset({"assigned_at"}),
        "batch_jobs": frozenset({"started_at", "completed_at", "duration_seconds"}),
        "batch_job_schedules": frozenset({"last_run_at", "next_run_at"}),
        "batch_run_tracking": frozenset(
            {
                "phase_1_duration_seconds",
                "phase_2_duration_seconds",
                "phase_3_duration_seconds",
                "completed_at",
            }
        ),
        "agent_messages": frozenset({"first_token_ms", "latency_ms"}),
    }
)


def database_hash(url: URL, tables: Iterable[str] | None = None) -> dict[str, TableHash]:
    """Hash tables of a database, all in one snapshot; by default each of ours that is there."""
    with connect(url, application_name="content hash", read_only=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        wanted = sorted(_present_tables(connection)) if tables is None else tables
        return {table: _table_hash(connection, table) for table in wanted}


def _table_hash(connection: psycopg.Connection, table: str) -> TableHash:
    model = _models()[table]
    contents = [column for column in model.columns if not _left_out(model, column.name)]
    expressions, joins = _resolved(model, contents)
    relation = sql.SQL("{} AS t {}").format(sql.Identifier(table), joins)
    return rows_hash(connection, relation, expressions)


def _models() -> Mapping[str, Table]:
    return {**Base.metadata.tables, **AiBase.metadata.tables}


def _present_tables(connection: psycopg.Connection) -> set[str]:
    query = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
    return {row[0] for row in connection.execute(query, [list(_models())])}


def _left_out(table: Table, column: str) -> bool:
    return column in _LEFT_OUT_EVERYWHERE or column in _LEFT_OUT.get(table.name, ())


def _resolved(
    table: Table, columns: Sequence[Column[object]]
) -> tuple[list[sql.Composable], sql.Composable]:
    """Expressions of `columns` of the row `t`, and the joins that their references need."""
    expressions: list[sql.Composable] = []
    joins: list[sql.Composable] = []
    for column in columns:
        own = sql.Identifier("t", column.name)
        referred = _referred_table(table, column)
        if referred is None:
            expressions.append(canonical(own, is_json=isinstance(column.type, JSON)))
            continue
        alias = sql.Identifier(f"key_of_{column.name}")
        # A reference to a row that is gone differs from no reference.
        expressions.append(sql.SQL("coalesce({}.key, {}::text)").format(alias, own))
        joins.append(
            sql.SQL("LEFT JOIN ({}) AS {} ON {}.id = {}").format(
                _natural_keys(referred), alias, alias, own
            )
        )
    return expressions, sql.SQL(" ").join(joins)


def _natural_keys(table: str) -> sql.Composed:
    """A query of (id, key): each row's surrogate id and the digest of its natural key."""
    model = _models()[table]
    expressions, joins = _resolved(model, [model.columns[name] for name in NATURAL_KEYS[table]])
    return sql.SQL("SELECT t.id, {} AS key FROM {} AS t {}").format(
        row_digest(expressions), sql.Identifier(table), joins
    )


def _referred_table(table: Table, column: Column[object]) -> str | None:
    """The table whose surrogate id the column holds, if any."""
    for key in column.foreign_keys:
        if key.column.name == "id":
            return key.column.table.name
    return _LOGICAL_REFERENCES.get((table.name, column.name))
