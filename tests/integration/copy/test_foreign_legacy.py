"""The copy from a legacy database that is not like ours: moved, or rejected and told."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.copy import TableReport, copy_group, parity
from ops.embedded.server import EmbeddedServer
from ops.errors import BadInputError, ConfigurationError
from tests.conftest import create_database, running_server
from tests.integration.copy.conftest import PRICES, TEXT_TABLE, Run

InsertTexts = Callable[[URL, Sequence[Sequence[str | None]]], None]

ROWS = "SELECT symbol, date::text, close, volume FROM market_data_cache ORDER BY 1, 2"

# A typed table of the columns that matter, in another order than ours, without any constraint.
LOOSE_TABLE = """
DROP TABLE market_data_cache;
CREATE TABLE market_data_cache (
    close {price}, low {price}, high {price}, open {price}, volume {volume}, note text,
    updated_at timestamp, date {date}, symbol varchar(60), id {id}
);
"""


def loose(
    price: str = "numeric", volume: str = "bigint", date: str = "date", id: str = "uuid"
) -> str:
    return LOOSE_TABLE.format(price=price, volume=volume, date=date, id=id)


def copied(legacy_url: URL, core_url: URL) -> TableReport:
    report = copy_group(legacy_url, core_url).tables[0]
    assert report.source_rows == report.accepted + report.rejected_rows
    assert parity(legacy_url, core_url)[0].holds
    return report


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param(
            "ALTER TABLE market_data_cache RENAME TO prices;"
            "CREATE VIEW market_data_cache AS SELECT * FROM prices",
            "staged",
            id="a view",
        ),
        pytest.param(
            "ALTER TABLE market_data_cache RENAME TO prices;"
            "CREATE MATERIALIZED VIEW market_data_cache AS SELECT * FROM prices",
            "staged",
            id="a materialised view",
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
            "ALTER TABLE more INHERIT market_data_cache",
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
        ),
        pytest.param(
            "ALTER TABLE market_data_cache DROP updated_at, DROP created_at, DROP data_source",
            "direct",
            id="bookkeeping missing",
        ),
        pytest.param("ALTER TABLE market_data_cache DROP id", "staged", id="no ids"),
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


# symbol, date, close, volume; kind of the rejection, and its reason where that tells more
UNFIT_ROWS: tuple[tuple[str | None, str | None, str | None, str | None, str, str | None], ...] = (
    (None, "2025-07-01", "1", "1", "symbol is missing", None),
    ("A" * 21, "2025-07-01", "1", "1", "symbol is longer than 20", None),
    ("A", None, "1", "1", "date is missing", None),
    ("A", "soon", "1", "1", "date is not a date", "date soon is not a date"),
    ("A", "today", "1", "1", "date is not a date", "date today is not a date"),
    ("A", "01/07/2025", "1", "1", "date is not a date", "date 01/07/2025 is not a date"),
    ("A", "2025-02-30", "1", "1", "date is not a date", "date 2025-02-30 is not a date"),
    ("A", "infinity", "1", "1", "date is infinite", None),
    ("A", "2025-07-01", None, "1", "close is missing", None),
    ("A", "2025-07-01", "", "1", "close is not a number", 'close "" is not a number'),
    ("A", "2025-07-01", "n/a", "1", "close is not a number", "close n/a is not a number"),
    ("A", "2025-07-01", "1,5", "1", "close is not a number", "close 1,5 is not a number"),
    ("A", "2025-07-01", "NaN", "1", "close is NaN", None),
    ("A", "2025-07-01", "-Infinity", "1", "close is infinite", None),
    (
        *("A", "2025-07-01", "100000000", "1", "close does not fit numeric(12,4)"),
        "close 100000000 does not fit numeric(12,4)",
    ),
    (
        *("A", "2025-07-01", "1", "3000000000", "volume does not fit integer"),
        "volume 3000000000 does not fit integer",
    ),
    (
        *("A", "2025-07-01", "1", "1.5", "volume is not a whole number"),
        "volume 1.5 is not a whole number",
    ),
    ("A", "2025-07-01", "1", "nan", "volume is NaN", None),
    (
        *("A", "2025-07-01", "1", "9" * 90, "volume does not fit integer"),
        f"volume {'9' * 40} does not fit integer",
    ),
    ("A", "2025-07-01", "x", "y", "close is not a number", "close x is not a number"),
)


def test_each_row_that_does_not_fit_is_rejected_whole_with_its_reason(
    run: Run, insert_texts: InsertTexts, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, TEXT_TABLE)
    good = ("GOOD", "2025-07-01", "10.12345", "7.00", "2025-07-02")
    insert_texts(legacy_url, [good, *((*row[:4], "2025-07-02") for row in UNFIT_ROWS)])
    report = copied(legacy_url, core_url)
    assert (report.path, report.accepted) == ("staged", 1)
    assert report.rejected == Counter(row[4] for row in UNFIT_ROWS)
    found = run(
        core_url,
        "SELECT row_data ->> 'symbol', row_data ->> 'date', row_data ->> 'close',"
        " row_data ->> 'volume', kind, reason FROM ops.copy_rejects",
    )
    expected = [(*row[:5], row[5] or row[4]) for row in UNFIT_ROWS]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert run(core_url, ROWS) == [("GOOD", "2025-07-01", Decimal("10.1235"), 7)]


def test_double_precision_prices_lose_their_nan_and_infinity(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, loose(price="double precision", volume="double precision"))
    run(
        legacy_url,
        "INSERT INTO market_data_cache (symbol, date, close, high, volume, updated_at)"
        " SELECT 'S' || i, '2025-07-01', v, h, w, '2025-07-02' FROM (VALUES"
        " (1, 101.30999755859375::float8, NULL::float8, 1e6::float8),"
        " (2, 'NaN', 1, 1), (3, 1, 'Infinity', 1),"
        " (4, 1e9, 1, 1), (5, 1, 1, 2147483648), (6, 1, 1, 0.5)) AS x (i, v, h, w)",
    )
    report = copied(legacy_url, core_url)
    assert report.rejected == {
        "close is NaN": 1,
        "close does not fit numeric(12,4)": 1,
        "high is infinite": 1,
        "volume does not fit integer": 1,
        "volume is not a whole number": 1,
    }
    assert run(core_url, ROWS) == [("S1", "2025-07-01", Decimal("101.3100"), 1000000)]


def test_of_duplicates_the_newest_stays_and_the_others_are_kept_as_rejects(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, loose(price="numeric(12,4)", volume="integer"))
    run(
        legacy_url,
        "INSERT INTO market_data_cache (symbol, date, close, updated_at, id) VALUES"
        " ('A', '2025-07-01', 1, '2025-07-03', NULL), ('A', '2025-07-01', 2, '2025-07-09', NULL),"
        " ('A', '2025-07-01', 3, '2025-07-05', NULL), ('B', '2025-07-01', 4, '2025-07-05', NULL),"
        " ('B', '2025-07-01', 5, '2025-07-05', NULL), ('a', '2025-07-01', 6, '2025-07-05', NULL)",
    )
    report = copied(legacy_url, core_url)
    assert report.rejected == {"older duplicate": 2, "duplicate": 1}
    assert run(core_url, "SELECT symbol, close FROM market_data_cache ORDER BY close") == [
        ("A", 2),
        ("B", 5),
        ("a", 6),
    ]
    assert run(
        core_url,
        "SELECT reason, (row_data ->> 'close')::float FROM ops.copy_rejects ORDER BY 1, 2",
    ) == [
        ("duplicate of B, 2025-07-01", 4.0),
        ("older duplicate of A, 2025-07-01", 1.0),
        ("older duplicate of A, 2025-07-01", 3.0),
    ]
    run(legacy_url, "UPDATE market_data_cache SET updated_at = '2025-08-01' WHERE close = 1")
    assert copied(legacy_url, core_url).updated == 1
    assert run(core_url, "SELECT close FROM market_data_cache WHERE symbol = 'A'") == [(1,)]
    assert run(core_url, "SELECT count(*) FROM ops.copy_rejects") == [(3,)]


SPELLINGS = (
    "BRK.B",
    "BRK/B",
    "brk.b",
    "Brk.B",
    "BRK B",
    " BRK",
    "BRK ",
    "ÆØÅ",
    "株式",
    "'",
    "%s",
    "",
)


@pytest.mark.parametrize("text", [True, False])
def test_symbols_arrive_exactly_as_spelt(
    run: Run, insert_texts: InsertTexts, legacy_url: URL, core_url: URL, text: bool
) -> None:
    if text:
        run(legacy_url, TEXT_TABLE)
        insert_texts(
            legacy_url, [(symbol, "2025-07-01", "1", "1", "2025-07-02") for symbol in SPELLINGS]
        )
    else:
        with connect(legacy_url, application_name="tests", autocommit=True) as connection:
            connection.execute(
                "INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at,"
                " updated_at) SELECT gen_random_uuid(), s, '2025-07-01', 1, 'x', now(), now()"
                " FROM unnest(%s::text[]) AS s",
                [list(SPELLINGS)],
            )
    report = copied(legacy_url, core_url)
    assert report.path == ("staged" if text else "direct")
    found = run(core_url, "SELECT symbol FROM market_data_cache")
    assert {row[0] for row in found} == set(SPELLINGS)


def test_repeated_and_unusable_ids_reject_no_row(run: Run, legacy_url: URL, core_url: URL) -> None:
    run(legacy_url, loose(id="text"))
    run(
        legacy_url,
        "INSERT INTO market_data_cache (symbol, date, close, updated_at, id)"
        " SELECT 'A', date '2025-07-01' + i, 1, '2025-07-02', v FROM (VALUES (1, '17'),"
        " (2, NULL), (3, '00000000-0000-0000-0000-000000000001'),"
        " (4, '00000000-0000-0000-0000-000000000001'),"
        " (5, '00000000-0000-0000-0000-000000000005')) AS x (i, v)",
    )
    assert copied(legacy_url, core_url).accepted == 5
    kept = run(
        core_url, "SELECT date::text FROM market_data_cache WHERE id::text LIKE '00000000%5'"
    )
    assert kept == [("2025-07-06",)]


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
            "row-level security",
            id="hidden rows",
        ),
        pytest.param(
            "REVOKE ALL ON market_data_cache FROM outsider",
            ConfigurationError,
            "lacks a privilege",
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


@pytest.fixture(scope="module")
def older_server() -> Iterator[EmbeddedServer]:
    with running_server(major_version=16) as instance:
        yield instance


def test_an_older_legacy_server_is_read_alike(
    run: Run, older_server: EmbeddedServer, core_url: URL, legacy_url: URL
) -> None:
    create_database(older_server, "legacy")
    older = older_server.url("legacy")
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


def test_an_older_core_says_that_it_cannot_check_foreign_values(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, TEXT_TABLE)
    monkeypatch.setattr("ops.copy.staging.FIRST_VERSION_THAT_CHECKS_TEXT", 990000)
    with pytest.raises(ConfigurationError, match="needs PostgreSQL 16 or later in Core, which"):
        copy_group(legacy_url, core_url)
