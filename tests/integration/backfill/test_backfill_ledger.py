"""What is done, what is done again, and that it makes no difference in which steps."""

import threading
from collections.abc import Callable
from datetime import date
from uuid import UUID

import psycopg
import pytest

from ops.books.ledger import ledger_grid
from ops.books.session import open_books
from tests.databases import NewDatabase
from tests.integration.backfill.book import DAYS, FIRST, LAST, Book
from tests.integration.backfill.cases import CASES, two_portfolios

HALF = DAYS[7]


class Killed(Exception):
    """Stands for the end of the process."""


def killed_after(transactions: int) -> Callable[[psycopg.Connection], None]:
    """A guard that lets so many writing transactions begin, and ends the run at the next."""
    lock, begun = threading.Lock(), iter(range(transactions))

    def guard(_: psycopg.Connection) -> None:
        with lock:
            if next(begun, None) is None:
                raise Killed

    return guard


def content_without_history(book: Book) -> dict[str, object]:
    """All content; of the symbols' exposures, which every run leaves for its last day, the last."""
    book.execute("DELETE FROM symbol_factor_exposures WHERE calculation_date < %s", [LAST])
    return dict(book.content())


@pytest.fixture(scope="session")
def undisturbed(backfilled_cases: Book) -> dict[str, object]:
    """The content that one run over every case leaves."""
    return dict(backfilled_cases.content())


def test_a_grid_of_days_begins_with_what_is_not_whole(pair: tuple[Book, UUID, UUID]) -> None:
    book, _, second = pair
    book.run(FIRST, DAYS[1])
    book.execute(
        "UPDATE ops.backfill_ledger SET status = 'failed', reason = 'no' "
        "WHERE portfolio_id = %s AND calculation_date = %s",
        [second, FIRST],
    )
    with open_books(book.url) as session:
        grids = [[letters for _, letters in ledger_grid(session, DAYS[:n], 9)] for n in (2, 3)]
    assert grids[0] == ["✗■", "■■"]
    assert sorted(grids[1]) == ["■■·", "✗■·"]


@pytest.mark.soak
def test_day_by_day_gives_what_one_run_gives(
    cases_book: Book, undisturbed: dict[str, object]
) -> None:
    for day in DAYS:
        cases_book.run(day, day)
    assert content_without_history(cases_book) == undisturbed


@pytest.mark.soak
def test_twice_is_once(cases_book: Book, undisturbed: dict[str, object]) -> None:
    cases_book.run()
    again = cases_book.run()
    assert again.portfolio_days == 0
    cases_book.run(mode="all")
    assert content_without_history(cases_book) == undisturbed


def test_an_interrupted_run_is_finished_by_the_next(
    pair: tuple[Book, UUID, UUID], new_database: NewDatabase
) -> None:
    """After the symbols and the first of two portfolios."""
    book, *_ = pair
    undisturbed = Book(new_database(book.url.database), book.closes)
    undisturbed.run()
    finish_after(book, 2, content_without_history(undisturbed))


@pytest.mark.soak
@pytest.mark.parametrize("transactions", [0, 1, 17, len(CASES) + 1])
def test_an_interrupted_run_of_every_case_is_finished_by_the_next(
    cases_book: Book, undisturbed: dict[str, object], transactions: int
) -> None:
    """Before the symbols, the first portfolio, some portfolio, and the tracking of the days."""
    finish_after(cases_book, transactions, undisturbed)


def finish_after(book: Book, transactions: int, undisturbed: dict[str, object]) -> None:
    with pytest.raises(Killed):
        book.run(guard=killed_after(transactions))
    assert book.value("SELECT count(*) FROM batch_run_tracking") == 0
    book.run()
    assert content_without_history(book) == undisturbed


@pytest.mark.soak
def test_portfolios_in_different_spans_meet(
    cases_book: Book, undisturbed: dict[str, object]
) -> None:
    cases_book.execute("UPDATE portfolios SET is_active = name < 'k'")
    cases_book.run(FIRST, HALF)
    cases_book.execute("UPDATE portfolios SET is_active = true")
    cases_book.run()
    assert content_without_history(cases_book) == undisturbed


def test_a_correction_in_the_past_is_carried_on_to_the_present_and_changes_nothing_before(
    pair: tuple[Book, UUID, UUID],
) -> None:
    book, first, _ = pair
    book.run()
    equity = book.equity(first)
    before = {table: earlier_rows(book, table, DAYS[4]) for table in DATED}
    later = {table: later_rows(book, table, DAYS[4]) for table in DATED}
    book.set_close("S00", DAYS[4], float(book.closes["S00"][DAYS[4]]) + 1)
    report = book.run(DAYS[4], DAYS[4], mode="all")
    assert report.portfolio_days == 2 * len(DAYS[4:])
    assert {table: earlier_rows(book, table, DAYS[4]) for table in DATED} == before
    unchanged = [table for table in DATED if later_rows(book, table, DAYS[4]) == later[table]]
    assert not unchanged
    equity[4] += 500
    assert book.equity(first) == equity  # the next close takes the correction back


DATED = {
    "portfolio_snapshots": "snapshot_date",
    "position_market_betas": "calc_date",
    "position_interest_rate_betas": "calculation_date",
    "position_volatility": "calculation_date",
    "position_factor_exposures": "calculation_date",
    "factor_exposures": "calculation_date",
    "correlation_calculations": "calculation_date",
    "stress_test_results": "calculation_date",
}


def earlier_rows(book: Book, table: str, day: date) -> list[tuple[object, ...]]:
    return _rows(book, table, f"{DATED[table]} < %s", day)


def later_rows(book: Book, table: str, day: date) -> list[tuple[object, ...]]:
    return _rows(book, table, f"{DATED[table]} >= %s", day)


def _rows(book: Book, table: str, condition: str, day: date) -> list[tuple[object, ...]]:
    frame = book.frame(f"SELECT * FROM {table} WHERE {condition}", [day])
    kept = frame.drop(columns=["id", "created_at", "updated_at"], errors="ignore")
    return sorted((tuple(row) for row in kept.itertuples(index=False)), key=repr)


def test_a_run_over_what_is_new_leaves_the_rest_alone(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    book.run(FIRST, HALF)
    ids = set(book.frame("SELECT id FROM portfolio_snapshots")["id"])
    report = book.run()
    assert report.portfolio_days == 2 * 7
    assert ids < set(book.frame("SELECT id FROM portfolio_snapshots")["id"])


def test_a_lagging_portfolio_is_caught_up(pair: tuple[Book, UUID, UUID]) -> None:
    book, *_ = pair
    book.run()
    late = book.portfolio("late", 10)
    book.position(late, "S05", 1)
    report = book.run()
    assert report.portfolio_days == len(DAYS)
    assert book.ledger(late) == dict.fromkeys(DAYS, "done")
    processed = book.frame("SELECT DISTINCT portfolios_processed AS n FROM batch_run_tracking")
    assert list(processed["n"]) == [3]


@pytest.mark.soak
def test_a_portfolio_that_lags_behind_the_range_is_caught_up_without_a_gap(
    pair: tuple[Book, UUID, UUID],
) -> None:
    book, first, _ = pair
    book.run()
    undisturbed = book.equity(first)
    book.run(mode="all")
    book.execute("DELETE FROM ops.backfill_ledger WHERE calculation_date > %s", [HALF])
    book.execute("DELETE FROM portfolio_snapshots WHERE snapshot_date > %s", [HALF])
    book.run(LAST, LAST)
    assert book.ledger(first) == dict.fromkeys(DAYS, "done")
    assert book.equity(first) == undisturbed


@pytest.mark.soak
def test_catching_up_in_the_past_leaves_the_newer_symbol_rows(book: Book) -> None:
    first, _ = two_portfolios(book)
    book.run()
    late = book.portfolio("late", 10)
    book.position(late, "S05", 1)
    newer = book.frame("SELECT symbol, metrics_date FROM symbol_daily_metrics")
    book.run(FIRST, HALF)
    assert book.frame("SELECT symbol, metrics_date FROM symbol_daily_metrics").equals(newer)
    assert set(newer["metrics_date"]) == {LAST}
    assert len(book.ledger(first)) == len(DAYS)


def test_starting_capital_is_remembered_at_the_first_day(pair: tuple[Book, UUID, UUID]) -> None:
    book, first, _ = pair
    book.run()
    equity = book.equity(first)
    stored = book.value("SELECT equity_balance FROM portfolios WHERE id = %s", [first])
    assert stored == equity[-1] != equity[0]
    book.run(mode="all")
    assert book.equity(first) == equity


@pytest.mark.soak
def test_more_portfolios_than_blocks_and_more_rows_than_a_chunk(book: Book) -> None:
    """One portfolio alone leaves more rows in a table than one piece of the stream holds."""
    for number in range(15):
        portfolio = book.portfolio(f"p{number:02d}")
        for symbol in ("S00", "S01", "S02", "S03")[: 1 + number % 4]:
            book.position(portfolio, symbol, 100 + number)
    wide = book.portfolio("wide")
    for number in range(70):
        book.position(wide, f"S{number % 12:02d}", 10 + number)
    report = book.run()
    assert report.portfolio_days == 16 * len(DAYS)
    assert report.rows["position_factor_exposures"] == (70 + 36) * 10 * len(DAYS)
    counts = book.frame(
        "SELECT count(*) AS n, count(DISTINCT id) AS ids, count(DISTINCT position_id) AS positions"
        " FROM position_factor_exposures"
    ).iloc[0]
    assert list(counts) == [106 * 10 * len(DAYS)] * 2 + [106]
