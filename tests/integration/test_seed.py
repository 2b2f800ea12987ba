"""Seeding brings Core to one state, once, and leaves alone what lives on."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import bcrypt
import pytest
from sqlalchemy.engine import URL

from app.calculations.factors import (
    FACTOR_NAMES,
    INTEREST_RATE_BETA_NAME,
    MARKET_BETA_NAME,
    PROVIDER_BETA_NAME,
    SHOCK_NAMES,
)
from ops.connection import connect
from ops.demo.book import demo_book
from ops.demo.marker import is_demo, mark
from ops.embedded.server import EmbeddedServer
from ops.errors import BadInputError, ConfigurationError, DatabaseUnavailableError
from ops.seed import SeedReport, seed
from tests.databases import NewDatabase, create_database
from tests.groups import soaked

pytestmark = pytest.mark.usefixtures("quick_hashes")

PASSWORD = "a demo password"
SEEDED = (
    "users",
    "portfolios",
    "positions",
    "tags_v2",
    "position_tags",
    "factor_definitions",
    "stress_test_scenarios",
    "benchmarks_sector_weights",
)


def query(url: URL, statement: str) -> list[tuple[object, ...]]:
    with connect(url, application_name="tests") as database:
        return database.execute(statement.encode()).fetchall()


def execute(url: URL, statement: str) -> None:
    with connect(url, application_name="tests") as database:
        database.execute(statement.encode())


def contents(url: URL) -> dict[str, list[tuple[object, ...]]]:
    """Every seeded row with its transaction, so that a rewritten row is seen too."""
    seeded = {
        table: query(url, f"SELECT xmin::text, t::text FROM {table} AS t ORDER BY 2")
        for table in SEEDED
    }
    return {**seeded, "capital": query(url, "SELECT * FROM ops.starting_capital ORDER BY 1")}


@pytest.fixture(scope="module")
def filled(server: EmbeddedServer, core_template: str) -> tuple[URL, SeedReport]:
    """A Core that was empty and was seeded, and what was said of it; only to be read or cloned."""
    url = create_database(server, core_template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.demo.book_rows.BCRYPT_COST", 4)
        return url, seed(url, demo_password=PASSWORD)


@pytest.fixture
def seeded(filled: tuple[URL, SeedReport], new_database: NewDatabase) -> URL:
    return new_database(filled[0].database)


def test_an_empty_core_gets_the_whole_book(filled: tuple[URL, SeedReport]) -> None:
    core, report = filled
    counts = {table: query(core, f"SELECT count(*) FROM {table}")[0][0] for table in SEEDED}
    assert counts == {table: report.written[table] for table in SEEDED}
    assert counts["portfolios"] == 11
    assert counts["positions"] == 144
    assert counts["factor_definitions"] == 13
    assert counts["stress_test_scenarios"] == 22
    assert report.from_legacy == ()
    eligible = query(
        core,
        "SELECT count(*), count(DISTINCT symbol) FROM positions WHERE investment_class = 'PUBLIC'"
        " AND position_type IN ('LONG', 'SHORT')",
    )
    assert eligible == [(116, 73)]
    ids = {row[0] for row in query(core, "SELECT id FROM positions")}
    assert ids == {one.id for one in demo_book().positions}


def test_the_planner_knows_how_much_there_is(filled: tuple[URL, SeedReport]) -> None:
    """Autovacuum analyses no table of a few rows, ever."""
    core, report = filled
    known = query(core, "SELECT relname, reltuples::int FROM pg_class WHERE reltuples > 0")
    assert report.written.items() <= dict(known).items()


def test_twice_is_once(seeded: URL) -> None:
    before = contents(seeded)
    again = seed(seeded, demo_password="another password")
    assert contents(seeded) == before
    assert set(again.written.values()) == {0}


def test_starting_capital_is_recorded_once(seeded: URL) -> None:
    recorded = dict(query(seeded, "SELECT portfolio_id, equity FROM ops.starting_capital"))
    assert recorded == {one.id: one.equity_balance for one in demo_book().portfolios.values()}
    execute(seeded, "UPDATE portfolios SET equity_balance = equity_balance * 2")
    seed(seeded, demo_password=PASSWORD)
    again = dict(query(seeded, "SELECT portfolio_id, equity FROM ops.starting_capital"))
    assert again == recorded


LIVES_ON = [
    (
        "UPDATE positions SET last_price = 2, market_value = 3, unrealized_pnl = 4,"
        " exit_date = '2025-08-01', exit_price = 5, realized_pnl = 6, deleted_at = now()",
        "SELECT last_price, market_value, unrealized_pnl, exit_date, exit_price,"
        " realized_pnl, deleted_at FROM positions ORDER BY id",
    ),
    (
        "UPDATE users SET hashed_password = 'changed', is_active = false",
        "SELECT hashed_password, is_active FROM users ORDER BY id",
    ),
    (
        "UPDATE portfolios SET equity_balance = 1.25, is_active = false, deleted_at = now()",
        "SELECT equity_balance, is_active, deleted_at FROM portfolios ORDER BY id",
    ),
    ("UPDATE tags_v2 SET usage_count = 99", "SELECT usage_count FROM tags_v2 ORDER BY id"),
]


def test_what_lives_on_is_never_reset(seeded: URL) -> None:
    for change, _ in LIVES_ON:
        execute(seeded, change)
    changed = [query(seeded, look) for _, look in LIVES_ON]
    seed(seeded, demo_password=PASSWORD)
    assert [query(seeded, look) for _, look in LIVES_ON] == changed


RESTORED = {
    "positions": "UPDATE positions SET quantity = 1, entry_price = 1",
    "position_tags": "DELETE FROM position_tags",
    "benchmarks_sector_weights": "UPDATE benchmarks_sector_weights SET weight = 0",
    "users": "UPDATE users SET full_name = 'Somebody'",
    "portfolios": "UPDATE portfolios SET name = 'Something'",
    "tags_v2": "UPDATE tags_v2 SET color = '#000000'",
    "factor_definitions": "UPDATE factor_definitions SET factor_type = 'style'",
    "stress_test_scenarios": "UPDATE stress_test_scenarios SET shock_config = '{}'",
}


@pytest.mark.parametrize(
    "tables",
    [tuple(RESTORED), *soaked(*(((table,),) for table in RESTORED))],
)
def test_what_the_demo_defines_is_restored(seeded: URL, tables: tuple[str, ...]) -> None:
    def defined() -> list[object]:
        columns = "to_jsonb(t) - 'id' - 'created_at' - 'updated_at'"
        return [query(seeded, f"SELECT {columns} FROM {each} AS t ORDER BY 1") for each in tables]

    before = defined()
    for table in tables:
        execute(seeded, RESTORED[table])
    report = seed(seeded, demo_password=PASSWORD)
    assert defined() == before
    assert {name for name, rows in report.written.items() if rows} == set(tables)


def test_new_users_log_in_with_the_demo_password(filled: tuple[URL, SeedReport]) -> None:
    ((stored,),) = query(filled[0], "SELECT DISTINCT hashed_password FROM users")
    assert bcrypt.checkpw(PASSWORD.encode(), str(stored).encode())


def test_a_user_and_a_portfolio_that_exist_under_other_ids_are_adopted(core_url: URL) -> None:
    user, portfolio = uuid4(), uuid4()
    execute(
        core_url,
        f"""
        INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at)
        VALUES ('{user}', 'demo_hnw@sigmasight.com', 'own', 'Own', true, now(), now());
        INSERT INTO portfolios
            (id, user_id, name, account_name, account_type, currency, equity_balance, created_at,
             updated_at)
        VALUES ('{portfolio}', '{user}', 'Own', 'Private Wealth', 'taxable', 'USD', 7, now(), now())
        """,
    )
    seed(core_url, demo_password=PASSWORD)
    assert query(core_url, "SELECT count(*) FROM portfolios") == [(11,)]
    held = query(
        core_url,
        f"SELECT count(*), min(u.hashed_password), min(f.equity_balance) FROM positions AS p"
        f" JOIN portfolios AS f ON f.id = p.portfolio_id JOIN users AS u ON u.id = f.user_id"
        f" WHERE p.portfolio_id = '{portfolio}' AND u.id = '{user}'",
    )
    assert held == [(30, "own", Decimal("7.00"))]
    tags = query(core_url, f"SELECT count(*) > 0 FROM tags_v2 WHERE user_id = '{user}'")
    assert tags == [(True,)]


def test_factors_have_the_names_the_batch_asks_for(filled: tuple[URL, SeedReport]) -> None:
    rows = query(filled[0], "SELECT name, factor_type, calculation_method FROM factor_definitions")
    kinds: dict[object, set[object]] = {}
    for name, kind, method in rows:
        kinds.setdefault((kind, method), set()).add(name)
    assert kinds == {
        ("style", "ridge_regression"): set(FACTOR_NAMES[:6]),
        ("spread", "spread_regression"): set(FACTOR_NAMES[6:]),
        ("market", "rolling_regression"): {MARKET_BETA_NAME},
        ("market", "provider_data"): {PROVIDER_BETA_NAME},
        ("macro", "rolling_regression"): {INTEREST_RATE_BETA_NAME},
    }


def test_scenarios_come_in_six_categories_and_shock_known_factors(
    filled: tuple[URL, SeedReport],
) -> None:
    rows = query(
        filled[0],
        "SELECT category, count(*), count(*) FILTER (WHERE active) FROM stress_test_scenarios"
        " GROUP BY category",
    )
    assert {row[0]: row[1:] for row in rows} == {
        "base_cases": (4, 4),
        "market_risk": (4, 4),
        "interest_rate_risk": (5, 5),
        "factor_rotations": (4, 4),
        "volatility_risk": (2, 2),
        "historical_replays": (3, 0),
    }
    shocked = query(
        filled[0],
        "SELECT DISTINCT jsonb_object_keys(shock_config -> 'shocked_factors')"
        " FROM stress_test_scenarios",
    )
    assert {row[0] for row in shocked} == set(SHOCK_NAMES)


# Benchmark weights of a foreign legacy database.


def weights(url: URL) -> list[tuple[object, ...]]:
    return query(
        url,
        "SELECT benchmark_code, asof_date::text, sector, weight FROM benchmarks_sector_weights"
        " ORDER BY 1, 2, 3",
    )


def test_benchmark_weights_come_from_legacy_where_it_has_any(
    core_url: URL, new_database: Callable[[], URL]
) -> None:
    legacy = new_database()
    execute(
        legacy,
        """
        CREATE TABLE benchmarks_sector_weights (
            sector text, weight text, asof_date text, benchmark_code text, updated_at timestamptz
        );
        INSERT INTO benchmarks_sector_weights VALUES
            ('Energy', '0.1', '2025-06-30', 'SP500', '2025-07-01'),
            ('Energy', '0.25', '2025-06-30', 'SP500', '2025-07-02'),
            ('Utilities', 'NaN', '2025-06-30', 'SP500', '2025-07-01'),
            ('Materials', NULL, '2025-06-30', 'SP500', '2025-07-01'),
            (repeat('x', 65), '0.1', '2025-06-30', 'SP500', '2025-07-01'),
            ('Financials', '0.75', '2025-06-30', 'SP500', NULL)
        """,
    )
    report = seed(core_url, demo_password=PASSWORD, legacy_url=legacy)
    assert report.from_legacy == ("benchmarks_sector_weights",)
    assert report.rejected == (
        "benchmarks_sector_weights SP500/2025-06-30/Materials: weight is missing",
        "benchmarks_sector_weights SP500/2025-06-30/Utilities: weight is no number",
        f"benchmarks_sector_weights SP500/2025-06-30/{64 * 'x'}: "
        "sector is longer than 64 characters",
    )
    assert weights(core_url) == [
        ("SP500", "2025-06-30", "Energy", Decimal("0.250000")),
        ("SP500", "2025-06-30", "Financials", Decimal("0.750000")),
    ]


UNUSABLE = {
    "no table": "CREATE TABLE something_else (sector text)",
    "missing columns": "CREATE TABLE benchmarks_sector_weights (sector text)",
    "no rows": "CREATE TABLE benchmarks_sector_weights"
    " (benchmark_code text, asof_date date, sector text, weight numeric)",
    "no dates": "CREATE TABLE benchmarks_sector_weights"
    " AS SELECT 'SP500' AS benchmark_code, 'June' AS asof_date, 'Energy' AS sector, 1 AS weight",
    "no numbers": "CREATE TABLE benchmarks_sector_weights"
    " AS SELECT 'SP500' AS benchmark_code, date '2025-06-30' AS asof_date, 'Energy' AS sector,"
    " true AS weight",
}


def test_a_legacy_database_without_usable_weights_leaves_the_built_in_ones(
    core_url: URL, scratch_database: URL
) -> None:
    for name, script in UNUSABLE.items():
        execute(scratch_database, f"DROP TABLE IF EXISTS benchmarks_sector_weights; {script}")
        execute(core_url, "DELETE FROM benchmarks_sector_weights")
        report = seed(core_url, demo_password=PASSWORD, legacy_url=scratch_database)
        assert (report.from_legacy, len(weights(core_url))) == ((), 33), name


# What a foreign legacy database is given, and what it gives.

REFERENCE = """
CREATE TABLE factor_definitions (
    id int, name text, description text, factor_type text, calculation_method text, etf_proxy text,
    display_order text, is_active boolean, updated_at text
);
INSERT INTO factor_definitions VALUES
    (1, 'Value', 'theirs, older', 'style', 'ridge_regression', 'VTV', '1', true, '2025-01-01'),
    (2, 'Value', 'theirs', 'style', 'ridge_regression', 'VTV', '7', true, '2025-02-01'),
    (3, 'Carry', 'their own', 'style', NULL, NULL, NULL, NULL, NULL),
    (4, 'Short Interest', NULL, NULL, NULL, NULL, '3', true, NULL),
    (5, 'Crowding', NULL, 'style', NULL, NULL, '1.5', true, NULL);
CREATE TABLE stress_test_scenarios (
    scenario_id text, name text, category text, severity text, shock_config text, active boolean
);
INSERT INTO stress_test_scenarios VALUES
    ('mine', 'My crash', 'own', 'severe', '{"shocked_factors": {"Market": -0.5, "Moon": 1}}', true),
    ('odd', 'Odd', 'own', 'mild', '{"shocks": [1.0, 1e2, 0.12345678901234567890]}', false),
    ('broken', 'Broken', 'own', 'mild', '{', true),
    ('', 'Nameless', 'own', 'mild', '{}', true);
CREATE TABLE users (id uuid, email text, hashed_password text);
INSERT INTO users VALUES (gen_random_uuid(), 'Demo_HNW@sigmasight.com', 'his own');
"""


def test_a_foreign_legacy_gives_its_reference_data_and_gets_no_demo(
    core_url: URL, new_database: Callable[[], URL]
) -> None:
    legacy = new_database()
    execute(legacy, REFERENCE)
    report = seed(core_url, legacy_url=legacy)
    assert report.from_legacy == ("factor_definitions", "stress_test_scenarios")
    assert report.rejected == (
        "factor_definitions Short Interest: factor_type is missing",
        "factor_definitions Crowding: display_order is no whole number",
        "stress_test_scenarios broken: shock_config is no JSON object",
        "stress_test_scenarios : scenario_id is empty",
    )
    for table in SEEDED[:5]:
        assert query(core_url, f"SELECT count(*) FROM {table}") == [(0,)], table
    factors = query(
        core_url,
        "SELECT name, description, display_order, is_active FROM factor_definitions"
        " WHERE name IN ('Value', 'Carry') ORDER BY name",
    )
    assert factors == [("Carry", "their own", 0, True), ("Value", "theirs", 7, True)]
    assert query(core_url, "SELECT count(*) FROM factor_definitions") == [(14,)]
    scenarios = query(
        core_url,
        "SELECT scenario_id, shock_config::text, active FROM stress_test_scenarios ORDER BY 1",
    )
    assert scenarios == [
        ("mine", '{"shocked_factors": {"Moon": 1, "Market": -0.5}}', True),
        ("odd", '{"shocks": [1.0, 100, 0.12345678901234567890]}', False),
    ]
    assert len(weights(core_url)) == 33
    execute(
        legacy,
        "DELETE FROM stress_test_scenarios WHERE scenario_id = 'broken';"
        "ALTER TABLE stress_test_scenarios ALTER shock_config TYPE jsonb USING shock_config::jsonb",
    )
    assert set(seed(core_url, legacy_url=legacy).written.values()) == {0}
    execute(core_url, "INSERT INTO ops.copy_source (only_row, identity) VALUES (true, '{}')")
    assert set(seed(core_url).written.values()) == {0}, "what is legacy's stays when that is gone"


def test_a_user_of_legacy_with_a_demo_address_keeps_what_is_his(
    core_url: URL, new_database: Callable[[], URL]
) -> None:
    legacy = new_database()
    execute(legacy, REFERENCE)
    report = seed(core_url, demo_password=PASSWORD, legacy_url=legacy)
    assert report.others == ("demo_hnw@sigmasight.com",)
    assert query(core_url, "SELECT count(*) FROM users WHERE email LIKE 'demo_hnw@%'") == [(0,)]
    assert report.written["users"] == len(demo_book().users) - 1
    assert 0 < report.written["portfolios"] < 11
    assert 0 < report.written["positions"] < 144


def test_where_the_demo_is_added_to_others_their_users_are_left_alone(core_url: URL) -> None:
    book = [user.email for user in demo_book().users]
    values = ", ".join(
        f"(gen_random_uuid(), '{email}', 'own', 'Own', true, now(), now())" for email in book
    )
    execute(
        core_url,
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        f" updated_at) VALUES {values}",
    )
    report = seed(core_url, demo_password=PASSWORD, adopt=False)
    assert report.others == tuple(sorted(book))
    assert query(core_url, "SELECT DISTINCT hashed_password, full_name FROM users") == [
        ("own", "Own")
    ]
    assert query(core_url, "SELECT count(*) FROM portfolios") == [(0,)]


def test_the_demo_is_known_by_its_mark_and_not_by_where_it_lies(
    core_url: URL, seeded: URL, scratch_database: URL
) -> None:
    foreign = scratch_database
    assert not is_demo(foreign, core_url)
    execute(foreign, "CREATE TABLE market_data_cache (); CREATE TABLE users (id uuid)")
    assert not is_demo(foreign, core_url)
    execute(foreign, "COMMENT ON TABLE market_data_cache IS 'prices of ours'")
    assert not is_demo(foreign, core_url)
    with connect(foreign, application_name="tests") as database:
        mark(database, "generated")
    assert is_demo(foreign, core_url)
    assert is_demo(None, core_url)  # nobody's yet
    assert is_demo(None, seeded)
    execute(seeded, "TRUNCATE users CASCADE")
    execute(
        seeded,
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        " updated_at) VALUES (gen_random_uuid(), 'demo_hnw@sigmasight.com', 'h', 'n', true, now(),"
        " now())",
    )
    assert not is_demo(None, seeded)


# Nothing half-written.


def test_a_database_without_tables_is_refused_in_one_line(scratch_database: URL) -> None:
    with pytest.raises(ConfigurationError, match="migrate"):
        seed(scratch_database, demo_password=PASSWORD)


def test_a_failure_at_the_end_leaves_nothing(core_url: URL) -> None:
    execute(core_url, "ALTER TABLE benchmarks_sector_weights RENAME TO elsewhere")
    with pytest.raises(ConfigurationError):
        seed(core_url, demo_password=PASSWORD)
    assert query(core_url, "SELECT count(*) FROM users") == [(0,)]
    assert query(core_url, "SELECT count(*) FROM ops.starting_capital") == [(0,)]


def test_an_unusable_password_or_legacy_address_leaves_nothing(core_url: URL) -> None:
    with pytest.raises(BadInputError):
        seed(core_url, demo_password="")
    nowhere = core_url.set(port=1)
    with pytest.raises(DatabaseUnavailableError):
        seed(core_url, demo_password=PASSWORD, legacy_url=nowhere)
    assert query(core_url, "SELECT count(*) FROM users") == [(0,)]
