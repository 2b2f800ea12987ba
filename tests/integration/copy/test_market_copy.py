"""The copy between databases of one shape: straight, repeatable, safe to kill."""

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.copy import CopyReport, TableProgress, TableReport, copy_group, parity
from ops.errors import (
    BadInputError,
    BusyError,
    DatabaseUnavailableError,
    FencedOutError,
    SigmaSightError,
    VerificationError,
    WrongDatabaseError,
)
from tests.database_content import database_hash
from tests.groups import soaked
from tests.integration.copy.conftest import PRICES, IndexesOf, Run

OTHER_TABLES = """
INSERT INTO company_profiles (symbol, company_name, data_source, last_updated, created_at,
    updated_at) VALUES ('SYM1', 'One', 'yahooquery', '2025-06-01', '2025-06-01', '2025-06-01');
INSERT INTO income_statements (id, symbol, period_date, frequency, total_revenue, currency,
    created_at, updated_at)
VALUES (gen_random_uuid(), 'SYM1', '2025-03-31', 'q', 12.5, 'USD', now(), now());
"""


def prices(report: CopyReport) -> TableReport:
    return report.tables[0]


def test_an_empty_table_is_loaded_straight_and_equals_legacy(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES + ";" + OTHER_TABLES)
    report = copy_group(legacy_url, core_url)
    assert [table.table for table in report.tables] == [
        "market_data_cache",
        "company_profiles",
        "fund_holdings",
        "income_statements",
        "balance_sheets",
        "cash_flows",
    ]
    first = prices(report)
    assert (first.path, first.source_rows, first.accepted, first.inserted) == (
        "direct",
        1000,
        1000,
        1000,
    )
    everything = "SELECT * FROM market_data_cache ORDER BY id"
    assert run(core_url, everything) == run(legacy_url, everything)
    assert database_hash(core_url) == database_hash(legacy_url)
    assert all(
        table.holds and table.compared_by == "hash" for table in parity(legacy_url, core_url)
    )


def test_a_load_leaves_indexes_and_constraints_as_they_were(
    run: Run, indexes_of: IndexesOf, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(
        core_url,
        "CREATE INDEX odd ON market_data_cache (lower(symbol) DESC, close) INCLUDE (open)"
        " WITH (fillfactor = 70) WHERE symbol LIKE '%A';"
        "CREATE INDEX noted ON market_data_cache (volume);"
        "COMMENT ON INDEX noted IS 'stays in place'",
    )
    before = indexes_of(core_url, "market_data_cache")
    copy_group(legacy_url, core_url)
    assert indexes_of(core_url, "market_data_cache") == before
    assert run(core_url, "SELECT obj_description('noted'::regclass)") == [("stays in place",)]


def test_twice_is_once_and_touches_no_row(run: Run, legacy_url: URL, core_url: URL) -> None:
    run(legacy_url, PRICES + ";" + OTHER_TABLES)
    copy_group(legacy_url, core_url)
    rows = "SELECT xmin::text, ctid::text, * FROM market_data_cache ORDER BY id"
    before = run(core_url, rows)
    report = copy_group(legacy_url, core_url)
    assert {table.path for table in report.tables} == {"unchanged"}
    assert (prices(report).accepted, prices(report).unchanged) == (1000, 1000)
    assert run(core_url, rows) == before


def test_a_lost_fingerprint_costs_a_comparison_but_writes_no_row(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    copy_group(legacy_url, core_url)
    before = run(core_url, "SELECT xmin::text, * FROM market_data_cache ORDER BY id")
    run(core_url, "DELETE FROM ops.copy_fingerprints")
    report = prices(copy_group(legacy_url, core_url))
    assert (report.path, report.inserted, report.updated, report.unchanged) == (
        "staged",
        0,
        0,
        1000,
    )
    assert run(core_url, "SELECT xmin::text, * FROM market_data_cache ORDER BY id") == before


def test_late_corrections_and_new_rows_arrive_and_rows_of_core_alone_stay(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    copy_group(legacy_url, core_url)
    run(core_url, "UPDATE market_data_cache SET symbol = 'OURS' WHERE symbol = 'SYM9'")
    run(
        legacy_url,
        "UPDATE market_data_cache SET close = 77, updated_at = '2025-07-07' WHERE symbol = 'SYM1';"
        "UPDATE market_data_cache SET symbol = 'NEW' WHERE symbol = 'SYM2'",
    )
    ids = run(core_url, "SELECT id FROM market_data_cache WHERE symbol = 'SYM1' ORDER BY date")
    report = prices(copy_group(legacy_url, core_url))
    # The ids of SYM9 and NEW are taken by OURS and SYM2, so these rows get new ones.
    assert (report.path, report.inserted, report.updated, report.unchanged) == (
        "staged",
        100,
        50,
        850,
    )
    corrected = "SELECT DISTINCT close, updated_at::date::text FROM market_data_cache"
    assert run(core_url, corrected + " WHERE symbol = 'SYM1'") == [(77, "2025-07-07")]
    assert ids == run(
        core_url, "SELECT id FROM market_data_cache WHERE symbol = 'SYM1' ORDER BY date"
    )
    assert run(
        core_url,
        "SELECT symbol, count(*) FROM market_data_cache"
        " WHERE symbol IN ('OURS', 'NEW', 'SYM2', 'SYM9') GROUP BY symbol ORDER BY symbol",
    ) == [("NEW", 50), ("OURS", 50), ("SYM2", 50), ("SYM9", 50)]
    assert all(table.holds for table in parity(legacy_url, core_url))
    assert prices(copy_group(legacy_url, core_url)).path == "unchanged"


def test_a_damaged_core_row_is_repaired(run: Run, legacy_url: URL, core_url: URL) -> None:
    run(legacy_url, PRICES)
    copy_group(legacy_url, core_url)
    run(core_url, "UPDATE market_data_cache SET close = 0 WHERE symbol = 'SYM3'")
    damaged = parity(legacy_url, core_url)[0]
    assert (damaged.holds, damaged.missing, damaged.different) == (False, 0, 50)
    assert damaged.examples[:2] == ("SYM3, 2025-01-02", "SYM3, 2025-01-03")
    assert prices(copy_group(legacy_url, core_url)).updated == 50
    assert parity(legacy_url, core_url)[0].holds


def test_nan_is_rejected_on_the_straight_way_too(run: Run, legacy_url: URL, core_url: URL) -> None:
    run(legacy_url, PRICES)
    run(
        legacy_url,
        "UPDATE market_data_cache SET high = 'NaN' WHERE symbol = 'SYM1' AND date = '2025-01-02';"
        "UPDATE market_data_cache SET close = 'NaN' WHERE symbol = 'SYM2'",
    )
    report = prices(copy_group(legacy_url, core_url))
    assert report.path == "direct"
    assert report.rejected == {"close is NaN": 50, "high is NaN": 1}
    assert (report.source_rows, report.accepted) == (1000, 949)
    assert run(
        core_url,
        "SELECT reason, row_data ->> 'symbol', row_data ->> 'high' FROM ops.copy_rejects"
        " WHERE table_name = 'market_data_cache' AND kind = 'high is NaN'",
    ) == [("high is NaN", "SYM1", "NaN")]
    assert parity(legacy_url, core_url)[0].legacy_rows == 949
    run(legacy_url, "UPDATE market_data_cache SET close = 5 WHERE close = 'NaN'")
    assert prices(copy_group(legacy_url, core_url)).rejected == {"high is NaN": 1}


def test_a_refusing_guard_leaves_every_table_as_it_was(
    run: Run, indexes_of: IndexesOf, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    before = indexes_of(core_url, "market_data_cache")
    seen: list[int] = []

    def guard(connection: psycopg.Connection) -> None:
        row = connection.execute("SELECT count(*) FROM market_data_cache").fetchone()
        seen.append(row[0] if row else -1)
        raise FencedOutError("a newer run has taken over")

    with pytest.raises(FencedOutError):
        copy_group(legacy_url, core_url, guard=guard)
    assert seen == [1000]
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(0,)]
    assert run(core_url, "SELECT count(*) FROM ops.copy_fingerprints") == [(0,)]
    assert indexes_of(core_url, "market_data_cache") == before


@pytest.mark.parametrize(
    ("killed", "step", "left"),
    [
        ("copy writer", "indexing", 0),
        *soaked(
            ("copy writer", "hashing", 1000),  # committed, and being proved
            # A lost reader is noticed at the next table; the first one is complete by then.
            ("copy reader", "indexing", 1000),
        ),
    ],
)
def test_a_server_process_killed_in_mid_copy_leaves_a_table_empty_or_complete(
    run: Run,
    indexes_of: IndexesOf,
    legacy_url: URL,
    core_url: URL,
    killed: str,
    step: str,
    left: int,
) -> None:
    run(legacy_url, PRICES + ";" + OTHER_TABLES)
    before = indexes_of(core_url, "market_data_cache")

    def kill(progress: TableProgress) -> None:
        if progress.step == step:
            run(
                core_url,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = %s",
                [f"sigmasight {killed}"],
            )

    with pytest.raises(DatabaseUnavailableError, match="went away"):
        copy_group(legacy_url, core_url, on_progress=kill)
    rows = run(core_url, "SELECT count(*) FROM market_data_cache")
    assert rows == [(left,)]
    assert indexes_of(core_url, "market_data_cache") == before
    copy_group(legacy_url, core_url)
    assert database_hash(core_url) == database_hash(legacy_url)


def test_an_interrupt_in_mid_stream_changes_nothing(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, PRICES)
    monkeypatch.setattr("ops.copy.stream.CHUNK_BYTES", 64)
    monkeypatch.setattr("ops.copy.report.SECONDS_BETWEEN_REPORTS", 0)

    def interrupt(progress: TableProgress) -> None:
        if progress.step == "reading":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_group(legacy_url, core_url, on_progress=interrupt)
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(0,)]
    assert prices(copy_group(legacy_url, core_url)).accepted == 1000


def test_a_row_that_is_neither_accepted_nor_rejected_stops_the_copy(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, "UPDATE market_data_cache SET close = 'NaN' WHERE symbol = 'SYM1'")
    monkeypatch.setattr("ops.copy.direct.fetch_rejects", lambda *_: None)
    with pytest.raises(VerificationError, match="of 1000 legacy rows 950 were accepted and 0"):
        copy_group(legacy_url, core_url)
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(0,)]


def test_a_role_that_may_only_read_is_enough_on_legacy(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(
        legacy_url,
        "DROP ROLE IF EXISTS copy_reader; CREATE ROLE copy_reader LOGIN PASSWORD 'only-reads';"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO copy_reader;"
        f"REVOKE TEMPORARY ON DATABASE {legacy_url.database} FROM PUBLIC",
    )
    reader = legacy_url.set(username="copy_reader", password="only-reads")
    assert prices(copy_group(reader, core_url)).accepted == 1000
    run(legacy_url, "DROP OWNED BY copy_reader; DROP ROLE copy_reader")


def test_progress_ends_with_every_row_of_every_table(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    seen: list[TableProgress] = []
    copy_group(legacy_url, core_url, on_progress=seen.append)
    first = [progress for progress in seen if progress.table == "market_data_cache"]
    assert [progress.step for progress in first][-3:] == ["indexing", "hashing", "done"]
    assert first[-1].rows == first[-1].total == 1000


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        ("DROP TABLE market_data_cache", WrongDatabaseError, "no table market_data_cache"),
        (
            "ALTER TABLE cash_flows DROP CONSTRAINT uq_cashflow_symbol_period_freq",
            WrongDatabaseError,
            "no unique key .* of cash_flows",
        ),
        ("DROP SCHEMA ops CASCADE", SigmaSightError, "sigmasight migrate"),
    ],
)
def test_a_core_that_is_not_ready_gives_one_line_before_anything_is_copied(
    run: Run, legacy_url: URL, core_url: URL, spoil: str, kind: type[Exception], message: str
) -> None:
    run(legacy_url, OTHER_TABLES)
    run(core_url, spoil)
    with pytest.raises(kind, match=message) as error:
        copy_group(legacy_url, core_url)
    assert "\n" not in str(error.value)
    assert run(core_url, "SELECT count(*) FROM company_profiles") == [(0,)]


def test_an_unknown_group_and_equal_addresses_are_refused(legacy_url: URL, core_url: URL) -> None:
    with pytest.raises(BadInputError, match="no copy group 'prices'; choose from market"):
        copy_group(legacy_url, core_url, "prices")
    with pytest.raises(BadInputError, match="same database"):
        copy_group(core_url, core_url)


def test_a_row_that_core_refuses_by_a_rule_of_its_own_gives_one_line(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(core_url, "ALTER TABLE market_data_cache ADD CHECK (symbol <> 'SYM7')")
    with pytest.raises(BadInputError, match=r"refused the rows: .*check constraint") as error:
        copy_group(legacy_url, core_url)
    assert "\n" not in str(error.value)


def test_a_reader_of_core_is_waited_for_but_not_for_ever(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, PRICES)
    monkeypatch.setattr("ops.copy.core.LOCK_TIMEOUT", "100ms")
    with connect(core_url, application_name="reader") as reader:
        reader.execute("SELECT * FROM market_data_cache")
        with pytest.raises(BusyError, match="another session holds a lock; try again"):
            copy_group(legacy_url, core_url)
