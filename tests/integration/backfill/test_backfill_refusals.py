"""What a run refuses or records as failed, and that one run works at a time."""

from uuid import UUID

import pytest
from sqlalchemy.engine import URL

import ops.books.run_lock
from ops.backfill.batch import finish_batch, plan_batch, run_block, run_symbols
from ops.backfill.planning import BackfillRequest
from ops.books.run_lock import exclusive_run
from ops.errors import BadInputError, BusyError, ConfigurationError, FencedOutError
from tests.integration.backfill.book import (
    ANALYTIC_TABLES,
    DAYS,
    FIRST,
    LAST,
    Book,
)
from tests.integration.backfill.cases import two_portfolios

# A day that cannot be stored


def overflowing(book: Book) -> UUID:
    """A portfolio whose return on DAYS[5] is beyond numeric(8,6)."""
    portfolio = book.portfolio("overflowing", 1)
    book.position(portfolio, "S03", "0.01")
    book.flow(portfolio, DAYS[4], -0.5)
    book.set_close("S03", DAYS[5], 99_999_999)
    return portfolio


def test_a_day_that_does_not_fit_is_recorded_until_its_repair_and_the_rest_goes_on(
    book: Book,
) -> None:
    healthy, _ = two_portfolios(book)
    broken = overflowing(book)
    report = book.run()
    ((name, day, reason),) = report.failures
    assert (name, day) == ("overflowing", DAYS[5])
    assert "portfolio_snapshots.daily_return" in reason
    assert book.ledger(broken) == {**dict.fromkeys(DAYS[:5], "done"), DAYS[5]: "failed"}
    assert list(book.snapshots(broken).index) == list(DAYS[:5])
    assert book.ledger(healthy) == dict.fromkeys(DAYS, "done")
    tracked = book.frame("SELECT run_date FROM batch_run_tracking ORDER BY run_date")
    assert list(tracked["run_date"]) == list(DAYS[:5])
    rolled = book.value("SELECT equity_balance FROM portfolios WHERE id = %s", [broken])
    assert rolled == book.equity(broken)[-1]
    book.set_close("S03", DAYS[5], float(book.closes["S03"][DAYS[5]]))
    assert book.run(mode="failed").portfolio_days == len(DAYS[5:])
    assert book.ledger(broken) == dict.fromkeys(DAYS, "done")
    assert book.value("SELECT count(*) FROM batch_run_tracking") == len(DAYS)


def test_failed_mode_has_nothing_to_do_where_nothing_failed(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    assert book.run(mode="failed").portfolio_days == 0
    assert book.value("SELECT count(*) FROM portfolio_snapshots") == 0


def test_the_first_day_can_fail(book: Book) -> None:
    portfolio = book.portfolio("huge", 100)
    book.position(portfolio, "S03", "999999999999", price="99999999")
    report = book.run()
    assert [(name, day) for name, day, _ in report.failures] == [("huge", FIRST)]
    assert book.ledger(portfolio) == {FIRST: "failed"}
    assert book.snapshots(portfolio).empty
    assert book.value("SELECT equity_balance FROM portfolios") == 100


def test_a_day_that_fails_in_a_later_run_takes_back_what_was_there(
    pair: tuple[Book, UUID, UUID],
) -> None:
    book, first, _ = pair
    small = book.portfolio("small", 1)
    book.position(small, "S03", "0.01")
    book.run()
    book.set_close("S03", DAYS[5], 99_999_999)
    book.run(DAYS[3], LAST, mode="all")
    assert list(book.snapshots(small).index) == list(DAYS[:5])
    assert list(book.snapshots(first).index) == list(DAYS)
    assert book.value("SELECT max(run_date) FROM batch_run_tracking") == DAYS[4]


# One run at a time


def test_a_run_that_is_fenced_out_writes_nothing_more(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    with exclusive_run(book.url) as old:
        pass
    with exclusive_run(book.url) as new, pytest.raises(FencedOutError):
        book.run(guard=old.check)
    assert all(book.value(f"SELECT count(*) FROM {table}") == 0 for table in ANALYTIC_TABLES)
    book.run(guard=new.check)
    assert book.value("SELECT count(*) FROM portfolio_snapshots") == 2 * len(DAYS)


def test_a_run_fenced_out_between_two_blocks_keeps_what_it_committed(
    pair: tuple[Book, UUID, UUID],
) -> None:
    book, *_ = pair
    with exclusive_run(book.url) as fence:
        batch = plan_batch(book.url, BackfillRequest(FIRST, LAST))
        assert batch is not None
        run_symbols(book.url, batch, fence.check)
        run_block(book.url, batch.blocks[0], fence.check)
    with exclusive_run(book.url):
        pass
    with pytest.raises(FencedOutError):
        run_block(book.url, batch.blocks[1], fence.check)
    with pytest.raises(FencedOutError):
        finish_batch(book.url, batch, fence.check)
    assert book.value("SELECT count(*) FROM portfolio_snapshots") == len(DAYS)
    assert book.value("SELECT count(*) FROM batch_run_tracking") == 0


def test_a_second_run_is_refused_until_the_first_is_over(
    pair: tuple[Book, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    book, *_ = pair
    monkeypatch.setattr(ops.books.run_lock, "WAIT_SECONDS", 0.1)
    with (
        exclusive_run(book.url),
        pytest.raises(BusyError, match="another run"),
        exclusive_run(book.url),
    ):
        pytest.fail("two runs at the same time")
    with exclusive_run(book.url) as fence:
        assert book.run(guard=fence.check).portfolio_days == 2 * len(DAYS)


# What a run refuses


def test_no_portfolio_is_refused(book: Book) -> None:
    book.portfolio("gone", deleted_at="2025-07-01")
    with pytest.raises(BadInputError, match="no portfolio"):
        book.run()


@pytest.mark.parametrize(
    ("taken_away", "message"),
    [
        ("symbol !~ '^[SN]..$' OR symbol = 'SPY'", "no price of any factor ETF"),
        ("symbol LIKE 'S0%%'", "no held symbol"),
        ("true", "SPY"),
    ],
)
def test_missing_prices_are_refused_before_anything_is_written(
    pair: tuple[Book, UUID, UUID], taken_away: str, message: str
) -> None:
    book, *_ = pair
    book.no_prices(taken_away.replace("%%", "%"))
    with pytest.raises(BadInputError, match=message) as refusal:
        book.run()
    assert "\n" not in str(refusal.value)
    assert all(book.value(f"SELECT count(*) FROM {table}") == 0 for table in ANALYTIC_TABLES)


def test_missing_factor_definitions_are_refused(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    book.execute("DELETE FROM factor_definitions WHERE name IN ('Value', 'IR Beta')")
    with pytest.raises(BadInputError, match=r"Value, IR Beta.*seed"):
        book.run()


def test_a_database_without_tables_says_what_to_do(scratch_database: URL) -> None:
    with pytest.raises(ConfigurationError, match="sigmasight migrate"):
        plan_batch(scratch_database, BackfillRequest(FIRST, LAST))


def test_days_after_the_last_price_are_refused(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    book.no_prices("date = %s", LAST)
    with pytest.raises(BadInputError, match=f"prices end on {DAYS[-2]}.*--last {DAYS[-2]}"):
        book.run()
    assert book.value("SELECT count(*) FROM portfolio_snapshots") == 0
