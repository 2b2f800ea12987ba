"""Seed Core: demo users and their book, factor definitions, stress scenarios, benchmark weights.

One transaction of upserts by natural key. What the demo defines (names, quantities, entry prices,
shocks) follows the definition at every run; what lives on after it (passwords, activity, exits,
rolled equity and market values) is written once and never reset.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
import sqlalchemy
from psycopg.errors import CannotCoerce, UndefinedColumn
from psycopg.rows import dict_row
from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL

from app.models import Base
from ops.connection import connect, explained
from ops.demo.book_rows import Row, book_rows, password_hash
from ops.demo.transaction import driver_connection, transaction
from ops.legacy_access.account import recorded_access
from ops.legacy_schema import NoInstallationError, enter_legacy
from ops.reference_data import benchmark_weights, factor_definitions, stress_scenarios
from ops.sql_files import statement

BenchmarkSource = Literal["legacy", "built-in"]

_USER_KEY = ("email",)
_PORTFOLIO_KEY = ("user_id", "account_name")
_TAG_KEY = ("user_id", "name", "is_archived")
_ASSIGNMENT_KEY = ("position_id", "tag_id")
_BENCHMARKS = "benchmarks_sector_weights"
_BENCHMARK_KEY = ("benchmark_code", "asof_date", "sector")


@dataclass(frozen=True)
class SeedReport:
    """What seeding wrote.

    Attributes:
        written: rows inserted or changed, by table; all zero when nothing had to change.
        benchmark_source: where the benchmark's sector weights came from.
    """

    benchmark_source: BenchmarkSource
    written: dict[str, int] = field(default_factory=dict)


def seed(core_url: URL, *, demo_password: str, legacy_url: URL | None = None) -> SeedReport:
    """Bring Core to the seeded state. Idempotent.

    Args:
        core_url: a migrated Core database with schema ops.
        demo_password: what new demo users log in with; users that exist keep theirs.
        legacy_url: the old database, whose benchmark weights are taken where it has any.

    Raises:
        BadInputError: the password cannot be hashed.
        ConfigurationError: tables are missing, or the role may not write.
        DatabaseUnavailableError: a server does not answer.
        LegacySchemaError: it cannot be told which tables of legacy are meant.
    """
    book = book_rows(password_hash(demo_password))
    with recorded_access(core_url, legacy_url, "seed"):
        benchmarks = _legacy_benchmarks(legacy_url) if legacy_url is not None else []
    source: BenchmarkSource = "legacy" if benchmarks else "built-in"
    with transaction(core_url, application_name="seed") as core:
        written = _seed_book(core, book)
        written["factor_definitions"] = _upsert(
            core, "factor_definitions", factor_definitions(), ("name",)
        )
        written["stress_test_scenarios"] = _upsert(
            core, "stress_test_scenarios", stress_scenarios(), ("scenario_id",)
        )
        written[_BENCHMARKS] = _upsert(
            core, _BENCHMARKS, benchmarks or benchmark_weights(), _BENCHMARK_KEY
        )
    return SeedReport(source, written)


def _seed_book(core: sqlalchemy.Connection, book: dict[str, list[Row]]) -> dict[str, int]:
    """Upsert the book; rows that exist under another id keep it, and what follows refers to it."""
    written = {"users": _upsert(core, "users", book["users"], _USER_KEY, {"full_name"})}
    users = _adopted(core, "users", book["users"], _USER_KEY)

    portfolios = _referring(book["portfolios"], "user_id", users)
    described = {"name", "account_type", "description", "currency"}
    written["portfolios"] = _upsert(core, "portfolios", portfolios, _PORTFOLIO_KEY, described)
    owners = _adopted(core, "portfolios", portfolios, _PORTFOLIO_KEY)
    written["starting_capital"] = _record_capital(core, portfolios, owners)

    positions = _referring(book["positions"], "portfolio_id", owners)
    written["positions"] = _upsert(core, "positions", positions, ("id",), _POSITION_DEFINITION)

    tags = _referring(book["tags_v2"], "user_id", users)
    described = {"color", "description", "display_order"}
    written["tags_v2"] = _upsert(core, "tags_v2", tags, _TAG_KEY, described)
    assigned = _referring(book["position_tags"], "assigned_by", users)
    assigned = _referring(assigned, "tag_id", _adopted(core, "tags_v2", tags, _TAG_KEY))
    written["position_tags"] = _upsert(core, "position_tags", assigned, _ASSIGNMENT_KEY, ())
    return written


_POSITION_DEFINITION = {
    "symbol",
    "position_type",
    "quantity",
    "entry_price",
    "entry_date",
    "underlying_symbol",
    "strike_price",
    "expiration_date",
    "investment_class",
    "investment_subtype",
}


def _upsert(
    core: sqlalchemy.Connection,
    name: str,
    rows: Sequence[Row],
    key: Sequence[str],
    updated: Collection[str] | None = None,
) -> int:
    """Insert rows or bring the existing ones up to date; how many were inserted or changed.

    `updated` names the columns that an existing row takes over; None means all but id and key.
    Rows that are equal already are not touched, so their updated_at stays.
    """
    table = Base.metadata.tables[name]
    statement = insert(table).values(rows)
    if updated is None:
        updated = set(rows[0]) - {"id", *key}
    if updated:
        new = {column: statement.excluded[column] for column in sorted(updated)}
        differs = or_(*(table.c[column].is_distinct_from(value) for column, value in new.items()))
        statement = statement.on_conflict_do_update(
            index_elements=key, set_={**new, "updated_at": func.now()}, where=differs
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    # SQLAlchemy drops the count of an INSERT unless asked to keep it.
    return core.execute(statement.execution_options(preserve_rowcount=True)).rowcount


def _adopted(
    core: sqlalchemy.Connection, name: str, rows: Sequence[Row], key: Sequence[str]
) -> dict[Any, Any]:
    """The id that each of our rows really has, by the id that we derived for it."""
    table = Base.metadata.tables[name]
    columns = [table.c[column] for column in key]
    wanted = [tuple(row[column] for column in key) for row in rows]
    query = sqlalchemy.select(table.c.id, *columns).where(sqlalchemy.tuple_(*columns).in_(wanted))
    found = {tuple(row[1:]): row[0] for row in core.execute(query)}
    return {row["id"]: found[natural] for row, natural in zip(rows, wanted, strict=True)}


def _referring(rows: Sequence[Row], column: str, ids: dict[Any, Any]) -> list[Row]:
    return [{**row, column: ids[row[column]]} for row in rows]


def _record_capital(
    core: sqlalchemy.Connection, portfolios: Sequence[Row], ids: dict[Any, Any]
) -> int:
    """Remember each portfolio's starting capital, once and for all."""
    cursor = driver_connection(core).execute(
        """
        INSERT INTO ops.starting_capital (portfolio_id, equity)
        SELECT * FROM unnest(%s::uuid[], %s::numeric[])
        ON CONFLICT DO NOTHING
        """,
        [
            [ids[portfolio["id"]] for portfolio in portfolios],
            [portfolio["equity_balance"] for portfolio in portfolios],
        ],
    )
    return cursor.rowcount


def _legacy_benchmarks(legacy_url: URL) -> list[Row]:
    """The old database's benchmark weights; none where its table is missing or unlike ours.

    Raises:
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
    """
    with (
        explained(legacy_url),
        connect(legacy_url, application_name="seed", read_only=True) as legacy,
        legacy.cursor(row_factory=dict_row) as cursor,
    ):
        try:
            place = enter_legacy(legacy, legacy_url, [_BENCHMARKS])
        except NoInstallationError:
            return []
        if _BENCHMARKS not in place.tables:
            return []
        try:
            return cursor.execute(statement("legacy_benchmarks")).fetchall()
        except (psycopg.DataError, UndefinedColumn, CannotCoerce):
            return []
