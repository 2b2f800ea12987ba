"""Content hashes: whether two databases hold the same rows, whatever their surrogate ids.

A row is written as one canonical text: its columns in declared order, each foreign key replaced by
the natural key of the row that it names, json as jsonb, NULL distinct from an empty text. Left out
are surrogate ids, created_at, updated_at, durations and the clock times of a run, which differ
between two equal runs. The session settings on which texts depend are those of
`ops.connection.connect`, so hash only over such a connection.

The hash of a table is its row count beside two sums over the SHA-256 of its rows (two 64-bit words
of each digest): the order of rows does not matter, a repeated row counts each time, and the server
needs no memory that grows with the table. Two tables that differ by accident agree with a chance of
about 2**-128; it is no seal against somebody who may choose the rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import psycopg
from psycopg import sql
from sqlalchemy import JSON, Column, Table
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect, explained
from ops.errors import BadInputError, WrongDatabaseError

WORD = 2**64

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


@dataclass(frozen=True)
class TableHash:
    """The content of a table.

    Attributes:
        rows: how many rows there are.
        digest: 32 hexadecimal digits, equal for equal content.
    """

    rows: int
    digest: str


def content_hash(connection: psycopg.Connection, table: str) -> TableHash:
    """Hash a Core or AI table over an open connection of `ops.connection.connect`.

    Raises:
        BadInputError: no model declares such a table.
    """
    model = _models().get(table)
    if model is None:
        raise BadInputError(f"{table!r} is neither a Core nor an AI table; correct the name")
    contents = [column for column in model.columns if not _left_out(model, column.name)]
    expressions, joins = _resolved(model, contents)
    relation = sql.SQL("{} AS t {}").format(sql.Identifier(table), joins)
    return rows_hash(connection, relation, expressions)


def database_hash(url: URL, tables: Iterable[str] | None = None) -> dict[str, TableHash]:
    """Hash tables of a database, all in one snapshot; by default each of ours that is there.

    Raises:
        BadInputError: no model declares one of `tables`.
        WrongDatabaseError: the database lacks one of `tables`.
    """
    with (
        explained(url),
        connect(url, application_name="content hash", read_only=True) as connection,
    ):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        present = _present_tables(connection)
        wanted = sorted(present) if tables is None else list(tables)
        for table in wanted:
            if table in _models() and table not in present:
                raise WrongDatabaseError(
                    f"the database has no table {table!r}; run `sigmasight migrate` first"
                )
        return {table: content_hash(connection, table) for table in wanted}


def rows_hash(
    connection: psycopg.Connection,
    relation: sql.Composable,
    expressions: Sequence[sql.Composable],
    where: sql.Composable | None = None,
    encoding: str = "UTF8",
) -> TableHash:
    """Hash the rows of `relation` (a FROM item) as the texts of `expressions`.

    Args:
        encoding: the one that texts are brought to; `SQL_ASCII` takes them as the bytes they are.
    """
    query = rows_hash_query(relation, expressions, where, encoding)
    row = connection.execute(query).fetchone()
    return table_hash(row)


def rows_hash_query(
    relation: sql.Composable,
    expressions: Sequence[sql.Composable],
    where: sql.Composable | None = None,
    encoding: str = "UTF8",
) -> sql.Composed:
    """The query of `rows_hash`: row count and the two sums, for `table_hash` to read."""
    return sql.SQL(
        "SELECT count(*),"
        " coalesce(sum(('x' || substr(digest, 1, 16))::bit(64)::bigint), 0),"
        " coalesce(sum(('x' || substr(digest, 17, 16))::bit(64)::bigint), 0)"
        # OFFSET 0 keeps the planner from writing the digest out twice, and computing it twice.
        " FROM (SELECT {digest} AS digest FROM {relation} WHERE {where} OFFSET 0) AS digests"
    ).format(
        digest=_digest(expressions, encoding),
        relation=relation,
        where=sql.SQL("true") if where is None else where,
    )


def table_hash(row: Sequence[int] | None) -> TableHash:
    """The hash that a row of `rows_hash_query` says."""
    rows, first, second = row or (0, 0, 0)
    return TableHash(int(rows), f"{int(first) % WORD:016x}{int(second) % WORD:016x}")


def canonical(column: sql.Composable, *, is_json: bool) -> sql.Composable:
    """A column in the form in which equal values have equal texts: json becomes jsonb."""
    return sql.SQL("{}::jsonb").format(column) if is_json else column


def _models() -> Mapping[str, Table]:
    return {**Base.metadata.tables, **AiBase.metadata.tables}


def _present_tables(connection: psycopg.Connection) -> set[str]:
    query = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
    return {row[0] for row in connection.execute(query, [list(_models())])}


def _left_out(table: Table, column: str) -> bool:
    return column in _LEFT_OUT_EVERYWHERE or column in _LEFT_OUT.get(table.name, ())


def _digest(expressions: Sequence[sql.Composable], encoding: str = "UTF8") -> sql.Composed:
    return sql.SQL("encode(sha256(convert_to(ROW({})::text, {})), 'hex')").format(
        sql.SQL(", ").join(expressions), sql.Literal(encoding)
    )


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
        _digest(expressions), sql.Identifier(table), joins
    )


def _referred_table(table: Table, column: Column[object]) -> str | None:
    """The table whose surrogate id the column holds, if any."""
    for key in column.foreign_keys:
        if key.column.name == "id":
            return key.column.table.name
    return _LOGICAL_REFERENCES.get((table.name, column.name))
