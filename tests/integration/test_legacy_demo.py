"""The old database of the demo: complete, in the old shape, made in one go."""

import os
from pathlib import Path

import bcrypt
import numpy as np
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from app.models import AiBase, Base
from ops.connection import connect
from ops.demo import legacy
from ops.demo.book import demo_book
from ops.demo.catalogue import catalogue
from ops.demo.legacy import LegacyReport, create_legacy
from ops.demo.price_file import judged_prices
from ops.demo.prices import PriceHistory, generate_prices
from ops.embedded.server import EmbeddedServer
from ops.errors import (
    BadInputError,
    ConfigurationError,
    DatabaseUnavailableError,
    WrongDatabaseError,
)
from tests.databases import create_database
from tests.groups import soaked

pytestmark = pytest.mark.usefixtures("quick_hashes")

PASSWORD = "a demo password"
LEGACY_ONLY = {
    "export_history",
    "modeling_session_snapshots",
    "market_risk_scenarios",
    "factor_correlations",
    "agent_user_preferences",
    "ai_insights",
    "ai_insight_templates",
    "alembic_version",
}


@pytest.fixture
def empty_legacy(scratch_database: URL) -> URL:
    with connect(scratch_database, application_name="tests") as database:
        database.execute("CREATE EXTENSION vector")
    return scratch_database


@pytest.fixture(scope="module")
def prices() -> PriceHistory:
    return generate_prices()


@pytest.fixture(scope="module")
def made(server: EmbeddedServer, prices: PriceHistory) -> tuple[URL, LegacyReport]:
    """An old database made in an empty one, and what was said of it; only to be read."""
    url = create_database(server)
    with connect(url, application_name="tests") as database:
        database.execute("CREATE EXTENSION vector")
    return url, create_legacy(url, prices, demo_password=PASSWORD)


def query(url: URL, statement: str) -> list[tuple[object, ...]]:
    with connect(url, application_name="tests") as database:
        return database.execute(statement.encode()).fetchall()


def counted(url: URL, tables: set[str]) -> dict[str, int]:
    with connect(url, application_name="tests") as database:
        statement = sql.SQL("SELECT count(*) FROM {}")
        return {
            table: database.execute(statement.format(sql.Identifier(table))).fetchone()[0]
            for table in tables
        }


def tables_of(url: URL) -> set[object]:
    rows = query(
        url,
        "SELECT tablename FROM pg_tables WHERE schemaname <> 'information_schema'"
        " AND schemaname <> 'pg_catalog'",
    )
    return {row[0] for row in rows}


def test_the_database_has_the_old_shape(made: tuple[URL, LegacyReport]) -> None:
    url, report = made
    ours = {*Base.metadata.tables, *AiBase.metadata.tables} - {"batch_run_tracking"}
    assert tables_of(url) == ours | LEGACY_ONLY
    heads = query(url, "SELECT version_num FROM alembic_version ORDER BY 1")
    assert heads == [("k8l9m0n1o2p3",), ("n0o1p2q3r4s5",)]
    counts = counted(url, ours | LEGACY_ONLY)
    assert {table: n for table, n in counts.items() if n} == {**report.rows, "alembic_version": 2}
    assert report.created


def test_it_holds_the_book_under_the_ids_of_the_book(made: tuple[URL, LegacyReport]) -> None:
    url, _ = made
    book = demo_book()
    ids = {row[0] for row in query(url, "SELECT id FROM positions")}
    assert ids == {one.id for one in book.positions}
    users = dict(query(url, "SELECT email, hashed_password FROM users"))
    assert set(users) == {user.email for user in book.users}
    (stored,) = set(users.values())
    assert bcrypt.checkpw(PASSWORD.encode(), str(stored).encode())
    totals = query(url, "SELECT sum(equity_balance) FROM portfolios")
    assert totals == [(sum(one.equity_balance for one in book.portfolios.values()),)]


def test_its_prices_are_the_history_with_holes_and_flawed_rows(
    made: tuple[URL, LegacyReport], prices: PriceHistory
) -> None:
    url, _ = made
    rows = query(
        url,
        """
        SELECT symbol, date, open::float8, high::float8, low::float8, close::float8, volume
        FROM market_data_cache WHERE volume IS NOT NULL ORDER BY symbol, date
        """,
    )
    symbols, days = np.nonzero(~np.isnan(prices.close.T))
    assert [row[0] for row in rows] == [prices.symbols[number] for number in symbols]
    assert [row[1] for row in rows] == prices.dates[days].tolist()
    for place, expected in enumerate((prices.open, prices.high, prices.low, prices.close), 2):
        np.testing.assert_array_equal([row[place] for row in rows], expected[days, symbols])
    np.testing.assert_array_equal([row[6] for row in rows], prices.volume[days, symbols])
    flawed = query(
        url,
        "SELECT symbol, date, close::text FROM market_data_cache WHERE NOT close > 0"
        " OR close = 'NaN' ORDER BY symbol, date",
    )
    assert flawed == sorted(
        (row.symbol, row.day, "NaN" if np.isnan(row.close) else f"{row.close:.4f}")
        for row in prices.flawed
    )


def test_every_priced_instrument_has_a_profile(made: tuple[URL, LegacyReport]) -> None:
    url, _ = made
    rows = query(
        url,
        "SELECT symbol, company_name, sector, beta::float8, is_etf FROM company_profiles",
    )
    assert {
        (one.symbol, one.name, one.sector, one.profile_beta, one.is_etf)
        for one in catalogue().values()
    } == set(rows)
    sums = query(
        url,
        "SELECT sum(weight)::float8 FROM benchmarks_sector_weights GROUP BY asof_date",
    )
    assert len(sums) >= 2
    assert all(total == pytest.approx(1) for (total,) in sums)


def test_a_second_call_changes_nothing_and_tells_which_prices_are_there(
    made: tuple[URL, LegacyReport], prices: PriceHistory
) -> None:
    url, _ = made
    before = query(url, "SELECT xmin::text, ctid::text FROM users ORDER BY id")
    other = generate_prices(seed=1)
    report = create_legacy(url, other, demo_password="another password")
    assert not report.created
    assert report.price_source == "generated"
    assert report.price_fingerprint == prices.fingerprint != other.fingerprint
    assert query(url, "SELECT xmin::text, ctid::text FROM users ORDER BY id") == before


@pytest.mark.parametrize("step", ["_copy_prices", *soaked("_copy_rows", "_mark")])
def test_a_build_that_died_left_nothing_and_the_next_one_completes(
    empty_legacy: URL, prices: PriceHistory, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(database: psycopg.Connection, *_: object) -> None:
        with connect(empty_legacy, application_name="killer", autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [database.info.backend_pid])
        database.execute("SELECT 1")

    with monkeypatch.context() as patched:
        patched.setattr(legacy, step, die)
        with pytest.raises(DatabaseUnavailableError):
            create_legacy(empty_legacy, prices, demo_password=PASSWORD)
    assert tables_of(empty_legacy) == set()
    assert create_legacy(empty_legacy, prices, demo_password=PASSWORD).created


def test_a_database_of_somebody_else_is_refused_and_untouched(
    empty_legacy: URL, prices: PriceHistory
) -> None:
    with connect(empty_legacy, application_name="tests") as database:
        database.execute("CREATE TABLE market_data_cache (symbol text)")
    with pytest.raises(WrongDatabaseError, match="empty database"):
        create_legacy(empty_legacy, prices, demo_password=PASSWORD)
    assert tables_of(empty_legacy) == {"market_data_cache"}


def test_without_the_vector_extension_it_says_what_to_run(
    scratch_database: URL, prices: PriceHistory
) -> None:
    with pytest.raises(ConfigurationError, match="CREATE EXTENSION vector"):
        create_legacy(scratch_database, prices, demo_password=PASSWORD)
    assert tables_of(scratch_database) == set()


def test_a_password_that_cannot_be_hashed_leaves_nothing(
    empty_legacy: URL, prices: PriceHistory
) -> None:
    with pytest.raises(BadInputError):
        create_legacy(empty_legacy, prices, demo_password="")
    assert tables_of(empty_legacy) == set()


@pytest.mark.soak
def test_the_real_prices_fit(empty_legacy: URL) -> None:
    path = os.environ.get("REAL_PRICES")
    if path is None:
        pytest.skip("REAL_PRICES names no file of real prices")
    history = judged_prices(Path(path))[0]
    report = create_legacy(empty_legacy, history, demo_password=PASSWORD)
    assert report.rows["market_data_cache"] == np.count_nonzero(~np.isnan(history.close))
    assert report.price_source == Path(path).name
