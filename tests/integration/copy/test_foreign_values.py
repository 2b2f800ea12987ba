"""The copy of foreign values: moved as they are, or rejected row by row and told."""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.copy import copy_group
from ops.errors import ConfigurationError
from tests.integration.copy.conftest import PRICES, TEXT_TABLE, Run
from tests.integration.copy.foreign_prices import ROWS, copied, loose

InsertTexts = Callable[[URL, Sequence[Sequence[str | None]]], None]

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
    (
        *("A", "20250-07-01", "1", "1", "date is not within the years 1 to 9999"),
        "date 20250-07-01 is not within the years 1 to 9999",
    ),
    (
        *("A", "0201-02-03 BC", "1", "1", "date is not within the years 1 to 9999"),
        "date 0201-02-03 BC is not within the years 1 to 9999",
    ),
    ("A", "2025-07-01 Mars", "1", "1", "date is not a date", "date 2025-07-01 Mars is not a date"),
    ("", "2025-07-01", "1", "1", "symbol is empty", None),
    (" ", "2025-07-01", "1", "1", "symbol is empty", None),
    ("\t", "2025-07-01", "1", "1", "symbol is empty", None),
    ("\u00a0\u200b\u3000", "2025-07-01", "1", "1", "symbol is empty", None),
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
    (
        *("A", "2025-07-01", "-0.00004", "1", "close would become 0 in numeric(12,4)"),
        "close -0.00004 would become 0 in numeric(12,4)",
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
    assert (report.path, report.accepted, report.rounded) == ("staged", 1, {"close": 1})
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
        " (4, 1e9, 1, 1), (5, 1, 1, 2147483648), (6, 1, 1, 0.5),"
        " (7, 1, 1, 2147483647), (8, 1, 1, -2147483648), (9, 1, 1, -2147483649))"
        " AS x (i, v, h, w)",
    )
    report = copied(legacy_url, core_url)
    assert report.rounded == {"close": 1}
    assert report.rejected == {
        "close is NaN": 1,
        "close does not fit numeric(12,4)": 1,
        "high is infinite": 1,
        "volume does not fit integer": 2,
        "volume is not a whole number": 1,
    }
    assert run(core_url, ROWS) == [
        ("S1", "2025-07-01", Decimal("101.3100"), 1000000),
        ("S7", "2025-07-01", Decimal("1.0000"), 2**31 - 1),
        ("S8", "2025-07-01", Decimal("1.0000"), -(2**31)),
    ]


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


def test_an_older_core_says_that_it_cannot_check_foreign_values(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, TEXT_TABLE)
    monkeypatch.setattr("ops.copy.staging.FIRST_VERSION_THAT_CHECKS_TEXT", 990000)
    with pytest.raises(ConfigurationError, match="needs PostgreSQL 16 or later in Core, which"):
        copy_group(legacy_url, core_url)


def test_the_day_of_a_text_with_an_offset_is_the_one_in_utc(
    run: Run, insert_texts: InsertTexts, legacy_url: URL, core_url: URL
) -> None:
    written = {
        "A": ("2024-01-15T22:00:00-05:00", "2024-01-16"),
        "B": ("2024-01-16 03:00+09", "2024-01-15"),
        "C": ("2024-01-15 22:00", "2024-01-15"),
        "D": ("20240115", "2024-01-15"),
    }
    run(legacy_url, TEXT_TABLE)
    insert_texts(
        legacy_url,
        [(symbol, day, "1", "1", "2024-02-01T22:00-05") for symbol, (day, _) in written.items()],
    )
    copied(legacy_url, core_url)
    found = run(core_url, "SELECT symbol, date::text, updated_at::text FROM market_data_cache")
    assert sorted(found) == [
        (symbol, day, "2024-02-02 03:00:00+00") for symbol, (_, day) in sorted(written.items())
    ]


@pytest.mark.parametrize("typed", [True, False])
def test_days_that_no_calendar_holds_and_empty_symbols_are_rejected_on_every_way(
    run: Run, legacy_url: URL, core_url: URL, typed: bool
) -> None:
    run(legacy_url, PRICES)
    if not typed:
        run(legacy_url, "ALTER TABLE market_data_cache ALTER volume TYPE bigint")
    for symbol, change in {
        "SYM1": "date = date + 6690000",
        "SYM2": "date = '0201-02-03 BC'::date + (date - '2025-01-01')",
        "SYM3": r"symbol = E' \t\u00a0'",
    }.items():
        run(legacy_url, f"UPDATE market_data_cache SET {change} WHERE symbol = '{symbol}'")
    report = copied(legacy_url, core_url)
    assert report.path == ("direct" if typed else "staged")
    assert report.rejected == {
        "date is not within the years 1 to 9999": 100,
        "symbol is empty": 50,
    }
    assert report.accepted == 17 * 50


def test_a_key_that_a_corrupt_index_holds_twice_rejects_one_row(
    run: Run, indexes_of: Callable[[URL, str], object], legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(
        legacy_url,
        "UPDATE pg_index SET indisunique = false"
        " WHERE indexrelid = 'uq_market_data_cache_symbol_date'::regclass",
    )
    run(
        legacy_url,
        "INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at,"
        " updated_at) SELECT gen_random_uuid(), symbol, date, 7, 'x', now(), '2020-01-01'"
        " FROM market_data_cache WHERE symbol = 'SYM1' AND date = '2025-01-02'",
    )
    run(
        legacy_url,
        "UPDATE pg_index SET indisunique = true"
        " WHERE indexrelid = 'uq_market_data_cache_symbol_date'::regclass",
    )
    before = indexes_of(core_url, "market_data_cache")
    report = copied(legacy_url, core_url)
    assert (report.path, report.accepted) == ("staged", 1000)
    assert report.rejected == {"older duplicate": 1}
    assert run(core_url, "SELECT reason FROM ops.copy_rejects") == [
        ("older duplicate of SYM1, 2025-01-02",)
    ]
    assert indexes_of(core_url, "market_data_cache") == before
