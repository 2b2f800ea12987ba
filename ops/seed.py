"""Seed Core: factor definitions, stress scenarios, benchmark weights; the demo's users and book.

Reference data are the old database's where it has them. One transaction of upserts by natural key.
What the demo defines (names, quantities, entry prices,
shocks) follows the definition at every run; what lives on after it (passwords, activity, exits,
rolled equity and market values) is written once and never reset.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import psycopg
import sqlalchemy
from psycopg import sql
from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL

from app.models import Base
from ops.connection import first_value, session_at
from ops.demo.book_rows import Row, book_rows, password_hash
from ops.demo.transaction import driver_connection, transaction
from ops.legacy_access.account import recorded_access
from ops.legacy_schema import NoInstallationError, enter_legacy
from ops.reference_data import benchmark_weights, factor_definitions, stress_scenarios
from ops.reference_data.legacy import KEYS, LegacyReference, read_reference

_USER_KEY = ("email",)
_PORTFOLIO_KEY = ("user_id", "account_name")
_TAG_KEY = ("user_id", "name", "is_archived")
_ASSIGNMENT_KEY = ("position_id", "tag_id")
# What Core gets where the old database has none. The batch needs every factor, so that those which
# the old one lacks are added to its own.
_BUILT_IN: Mapping[str, Callable[[], list[Row]]] = MappingProxyType(
    {
        "factor_definitions": factor_definitions,
        "stress_test_scenarios": stress_scenarios,
        "benchmarks_sector_weights": benchmark_weights,
    }
)
_COMPLETED = "factor_definitions"


@dataclass(frozen=True)
class SeedReport:
    """What seeding wrote.

    Attributes:
        from_legacy: the tables of reference data that are the old database's.
        written: rows inserted or changed, by table; all zero when nothing had to change.
        rejected: why rows of the old database's reference data were not taken, a line each.
        others: addresses of the demo that somebody else has, who keeps what is his.
    """

    from_legacy: tuple[str, ...]
    written: dict[str, int] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def seed(
    core_url: URL,
    *,
    demo_password: str | None = None,
    legacy_url: URL | None = None,
    adopt: bool = True,
) -> SeedReport:
    """Bring Core to the seeded state. Idempotent.

    Args:
        core_url: a migrated Core database with schema ops.
        demo_password: what new demo users log in with; users that exist keep theirs. None seeds no
            user, portfolio or tag.
        legacy_url: the old database, whose reference data are taken where it has any. A demo user
            whose address it has under another id is left out, with what is his.
        adopt: whether the demo's book goes to a user of Core who has a demo address under another
            id; else he is left alone too.

    Raises:
        BadInputError: the password cannot be hashed.
        ConfigurationError: tables are missing, or the role may not write.
        DatabaseUnavailableError: a server does not answer.
        LegacySchemaError: it cannot be told which tables of legacy are meant.
    """
    book = {} if demo_password is None else book_rows(password_hash(demo_password))
    with recorded_access(core_url, legacy_url, "seed"):
        found, others = _read_legacy(legacy_url, book)
    with transaction(core_url, application_name="seed") as core:
        if not adopt:
            others |= _taken(driver_connection(core), book.get("users", ()))
        written = _seed_book(core, _without(book, others)) if book else {}
        for table, built_in in _BUILT_IN.items():
            rows = _completed(table, found.rows.get(table, ()), built_in())
            stays = legacy_url is None and _is_legacys(driver_connection(core), table)
            written[table] = 0 if stays else _upsert(core, table, rows, KEYS[table])
        _analyze(core, written)
    from_legacy = tuple(table for table, rows in found.rows.items() if rows)
    return SeedReport(from_legacy, written, found.rejected, tuple(sorted(others.values())))


def _is_legacys(core: psycopg.Connection, table: str) -> bool:
    """Whether a table holds what an old database had, which is gone or not named now."""
    query = "SELECT EXISTS (SELECT FROM ops.copy_source) AND EXISTS (SELECT FROM {})"
    return bool(first_value(core, sql.SQL(query).format(sql.Identifier(table))))


def _completed(table: str, found: Sequence[Row], built_in: list[Row]) -> list[Row]:
    """The old database's rows, else ours; or those and what ours have besides."""
    known = {_key(table, row) for row in found}
    wanted = table == _COMPLETED or not found
    ours = [row for row in built_in if wanted and _key(table, row) not in known]
    return [*({"id": uuid4(), **row} for row in found), *ours]


def _key(table: str, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[table])


def _read_legacy(
    legacy_url: URL | None, book: Mapping[str, Sequence[Row]]
) -> tuple[LegacyReference, dict[UUID, str]]:
    """The old database's reference data; and the demo users whose address somebody else has."""
    if legacy_url is None:
        return LegacyReference(), {}
    with session_at(legacy_url, "seed", read_only=True) as legacy:
        try:
            enter_legacy(legacy, legacy_url, KEYS)
        except NoInstallationError:
            return LegacyReference(), {}
        return read_reference(legacy), _taken(legacy, book.get("users", ()))


def _taken(legacy: psycopg.Connection, users: Sequence[Row]) -> dict[UUID, str]:
    """Id of the demo's user → address, where the old database has that under another id."""
    if not users or first_value(legacy, "SELECT to_regclass('users')") is None:
        return {}
    rows = legacy.execute(
        "SELECT lower(email::text), id::text FROM users WHERE lower(email::text) = ANY(%s)",
        [[user["email"] for user in users]],
    ).fetchall()
    return {
        user["id"]: user["email"]
        for user in users
        if any(email == user["email"] and id_ != str(user["id"]) for email, id_ in rows)
    }


def _without(book: Mapping[str, list[Row]], users: Mapping[UUID, str]) -> dict[str, list[Row]]:
    """The book without some users and whatever hangs on them."""
    gone: set[Any] = set(users)
    kept: dict[str, list[Row]] = {}
    for table, rows in book.items():
        leaves = [row for row in rows if not gone.isdisjoint(row.values())]
        gone |= {row["id"] for row in leaves}
        kept[table] = [row for row in rows if row["id"] not in gone]
    return kept


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
    if not rows:
        return 0
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


def _analyze(core: sqlalchemy.Connection, written: Mapping[str, int]) -> None:
    """Statistics for the planner: of tables so small autovacuum makes none."""
    schemas = {"starting_capital": "ops"}
    for table in (table for table, rows in written.items() if rows):
        name = sql.Identifier(schemas.get(table, "public"), table)
        driver_connection(core).execute(sql.SQL("ANALYZE {}").format(name))


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
