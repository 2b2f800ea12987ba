"""The copy from a legacy database that is not shaped like ours: moved whole, or refused."""

import pytest
from sqlalchemy.engine import URL

from ops.copy import copy_group, parity
from ops.embedded.server import EmbeddedServer
from ops.errors import BadInputError, ConfigurationError
from tests.databases import create_database
from tests.integration.copy.conftest import PRICES, Run
from tests.integration.copy.foreign_prices import ROWS, copied, loose


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param(
            "ALTER TABLE market_data_cache RENAME TO prices;"
            "CREATE VIEW market_data_cache AS SELECT * FROM prices",
            "staged",
            id="a view",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "ALTER TABLE market_data_cache RENAME TO prices;"
            "CREATE MATERIALIZED VIEW market_data_cache AS SELECT * FROM prices",
            "staged",
            id="a materialised view",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "CREATE TABLE parts (LIKE market_data_cache INCLUDING DEFAULTS)"
            " PARTITION BY RANGE (date);"
            "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM ('2025-01-01')"
            " TO ('2025-02-01'); CREATE TABLE part_2 PARTITION OF parts DEFAULT;"
            "INSERT INTO parts SELECT * FROM market_data_cache; DROP TABLE market_data_cache;"
            "ALTER TABLE parts RENAME TO market_data_cache",
            "staged",
            id="a partitioned table",
        ),
        pytest.param(
            "CREATE TABLE more (LIKE market_data_cache);"
            "INSERT INTO more SELECT * FROM market_data_cache WHERE symbol = 'SYM1';"
            "DELETE FROM market_data_cache WHERE symbol = 'SYM1';"
            "ALTER TABLE more INHERIT market_data_cache, ADD note text",
            "staged",
            id="a table with children",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP CONSTRAINT uq_market_data_cache_symbol_date",
            "staged",
            id="no unique key",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache ALTER symbol TYPE text",
            "staged",
            id="text for varchar",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "ALTER TABLE market_data_cache ALTER date TYPE timestamptz,"
            " ALTER volume TYPE numeric(20,2)",
            "staged",
            id="a timestamp for the day",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP industry, DROP country, ADD adjusted float8",
            "direct",
            id="columns more and less",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP updated_at, DROP created_at, DROP data_source",
            "direct",
            id="bookkeeping missing",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP id",
            "staged",
            id="no ids",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP id; ALTER TABLE market_data_cache"
            " ADD id bigserial PRIMARY KEY",
            "staged",
            id="numbered ids",
        ),
    ],
)
def test_every_shape_of_the_same_prices_arrives_whole(
    run: Run, legacy_url: URL, core_url: URL, story: str, expected: str
) -> None:
    run(legacy_url, PRICES)
    rows = run(legacy_url, ROWS)
    run(legacy_url, story)
    report = copied(legacy_url, core_url)
    assert (report.path, report.accepted, report.inserted) == (expected, 1000, 1000)
    assert ("more.note" in report.ignored_columns) == ("INHERIT" in story)
    assert run(core_url, ROWS) == rows
    assert run(core_url, "SELECT count(DISTINCT id) FROM market_data_cache") == [(1000,)]
    assert copy_group(legacy_url, core_url).tables[0].path == "unchanged"


def test_columns_are_matched_by_name_not_by_place(run: Run, legacy_url: URL, core_url: URL) -> None:
    run(legacy_url, loose(price="numeric(12,4)"))
    run(
        legacy_url,
        "INSERT INTO market_data_cache (open, high, low, close, symbol, date, volume, updated_at)"
        " VALUES (1, 2, 3, 4, 'A', '2025-07-01', 5, '2025-07-02')",
    )
    report = copied(legacy_url, core_url)
    assert run(core_url, "SELECT open, high, low, close, volume FROM market_data_cache") == [
        (1, 2, 3, 4, 5)
    ]
    assert report.ignored_columns == ("note",)
    assert report.filled_columns == (
        "data_source",
        "created_at",
        "sector",
        "industry",
        "exchange",
        "country",
        "market_cap",
    )


def test_missing_bookkeeping_is_filled_with_what_is_best_known(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, "ALTER TABLE market_data_cache DROP created_at, DROP data_source, DROP sector")
    report = copied(legacy_url, core_url)
    assert report.filled_columns == ("data_source", "created_at", "sector")
    assert run(
        core_url, "SELECT DISTINCT created_at::date::text, data_source FROM market_data_cache"
    ) == [("2025-06-01", "polygon")]


def test_a_column_that_legacy_lacks_is_never_overwritten(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, "ALTER TABLE market_data_cache DROP sector")
    copied(legacy_url, core_url)
    run(core_url, "UPDATE market_data_cache SET sector = 'Energy'")
    run(legacy_url, "UPDATE market_data_cache SET close = 3 WHERE symbol = 'SYM1'")
    assert copied(legacy_url, core_url).updated == 50
    assert run(core_url, "SELECT DISTINCT sector FROM market_data_cache") == [("Energy",)]


def test_a_missing_table_is_told_and_the_others_are_copied(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, "DROP TABLE fund_holdings, cash_flows")
    paths = {table.table: table.path for table in copy_group(legacy_url, core_url).tables}
    assert (paths["fund_holdings"], paths["cash_flows"]) == ("absent", "absent")
    assert paths["market_data_cache"] == "direct"
    assert {table.compared_by for table in parity(legacy_url, core_url)} == {"hash", "absent"}


@pytest.mark.parametrize(
    ("table", "column"),
    [("market_data_cache", "symbol"), ("market_data_cache", "close"), ("fund_holdings", "weight")],
)
def test_a_missing_required_column_is_named_before_anything_is_copied(
    run: Run, legacy_url: URL, core_url: URL, table: str, column: str
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, f"ALTER TABLE {table} DROP {column} CASCADE")
    with pytest.raises(BadInputError, match=f"'{table}' of legacy has no column '{column}'"):
        copy_group(legacy_url, core_url)
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(0,)]


def test_a_required_column_that_core_alone_has_is_named(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(core_url, "ALTER TABLE market_data_cache ADD desk text NOT NULL")
    with pytest.raises(BadInputError, match=r"has no column 'desk', which Core requires"):
        copy_group(legacy_url, core_url)


def test_a_roles_short_timeouts_do_not_end_the_copy(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(
        legacy_url,
        "DROP ROLE IF EXISTS hasty; CREATE ROLE hasty LOGIN PASSWORD 'hasty';"
        "ALTER ROLE hasty SET statement_timeout = '50ms';"
        "ALTER ROLE hasty SET transaction_timeout = '60ms';"
        "ALTER ROLE hasty SET idle_in_transaction_session_timeout = '50ms';"
        "ALTER TABLE market_data_cache RENAME TO prices;"
        "CREATE VIEW market_data_cache AS WITH wait AS MATERIALIZED (SELECT pg_sleep(0.15))"
        " SELECT p.* FROM wait, prices AS p;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO hasty",
    )
    hasty = legacy_url.set(username="hasty", password="hasty")
    assert copy_group(hasty, core_url).tables[0].accepted == 1000
    run(legacy_url, "DROP OWNED BY hasty; DROP ROLE hasty")


@pytest.mark.parametrize(
    ("story", "kind", "message"),
    [
        pytest.param(
            "ALTER TABLE market_data_cache RENAME TO prices; CREATE VIEW market_data_cache AS"
            " SELECT symbol, date, close / (volume - volume) AS close FROM prices",
            BadInputError,
            "'market_data_cache' of legacy at .* cannot be read: division by zero",
            id="a failing view",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY part ON market_data_cache USING (symbol = 'SYM1')",
            ConfigurationError,
            "with NO FORCE ROW LEVEL SECURITY, or of a role with BYPASSRLS.*row-level security",
            id="hidden rows",
        ),
        pytest.param(
            "REVOKE ALL ON market_data_cache FROM outsider",
            ConfigurationError,
            "GRANT SELECT ON public.market_data_cache TO outsider",
            id="no right to read",
        ),
    ],
)
def test_what_cannot_be_read_gives_one_line_and_changes_nothing(
    run: Run, legacy_url: URL, core_url: URL, story: str, kind: type[Exception], message: str
) -> None:
    run(legacy_url, PRICES)
    run(
        legacy_url,
        "DROP ROLE IF EXISTS outsider; CREATE ROLE outsider LOGIN PASSWORD 'outsider';"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO outsider;"
        f"{story}; GRANT SELECT ON company_profiles TO outsider",
    )
    if "VIEW" in story:
        run(legacy_url, "GRANT SELECT ON market_data_cache TO outsider")
    outsider = legacy_url.set(username="outsider", password="outsider")
    with pytest.raises(kind, match=message) as error:
        copy_group(outsider, core_url)
    assert "\n" not in str(error.value)
    assert "outsider:outsider" not in str(error.value)
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(0,)]
    run(legacy_url, "DROP OWNED BY outsider; DROP ROLE outsider")


@pytest.mark.soak
def test_an_older_legacy_server_is_read_alike(
    run: Run, old_server: EmbeddedServer, core_url: URL, legacy_url: URL
) -> None:
    older = create_database(old_server)
    columns = ", ".join(
        f"{name} {kind}"
        for name, kind in run(
            core_url,
            "SELECT attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull"
            " THEN ' NOT NULL' ELSE '' END FROM pg_attribute"
            " WHERE attrelid = 'market_data_cache'::regclass AND attnum > 0 ORDER BY attname",
        )
    )
    run(
        older,
        f"CREATE TABLE market_data_cache ({columns}, PRIMARY KEY (id), UNIQUE (symbol, date))",
    )
    run(older, PRICES)
    run(older, "UPDATE market_data_cache SET open = 'NaN' WHERE symbol = 'SYM4'")
    report = copied(older, core_url)
    assert (report.path, report.accepted) == ("direct", 950)
    run(older, "ALTER TABLE market_data_cache ALTER close TYPE text, ALTER volume TYPE bigint")
    run(older, "UPDATE market_data_cache SET volume = 3000000000 WHERE symbol = 'SYM5'")
    assert copied(older, core_url).rejected == {
        "open is NaN": 50,
        "volume does not fit integer": 50,
    }
    assert parity(older, core_url)[0].compared_by == "rows"
