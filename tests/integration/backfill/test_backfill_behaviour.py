"""Which rows there are, and which there are not, where something is missing or unusual."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from ops.backfill.batch import plan_batch
from ops.backfill.planning import BackfillRequest
from tests.integration.backfill.book import DAYS, FIRST, LAST, Book
from tests.integration.backfill.cases import CASES

BY_PORTFOLIO = {
    "portfolio_snapshots": "portfolio_id = p.id",
    "factor_exposures": "portfolio_id = p.id",
    "stress_test_results": "portfolio_id = p.id",
    "correlation_calculations": "portfolio_id = p.id",
    "position_market_betas": "portfolio_id = p.id",
    "position_factor_exposures": (
        "position_id IN (SELECT id FROM positions WHERE portfolio_id = p.id)"
    ),
    "position_volatility": "position_id IN (SELECT id FROM positions WHERE portfolio_id = p.id)",
}


def counts(book: Book, portfolio: UUID) -> dict[str, int]:
    return {
        table: book.value(
            f"SELECT count(*) FROM {table} AS t, portfolios AS p WHERE p.id = %s AND t.{owned}",
            [portfolio],
        )
        for table, owned in BY_PORTFOLIO.items()
    }


def days(number: int, **others: int) -> dict[str, int]:
    """Row counts of a portfolio with one stock on so many days and 19 active scenarios."""
    usual = {
        "portfolio_snapshots": len(DAYS),
        "factor_exposures": 13 * number,
        "stress_test_results": 19 * number,
        "correlation_calculations": number,
        "position_market_betas": number,
        "position_factor_exposures": 10 * number,
        "position_volatility": number,
    }
    return usual | others


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("short", days(15, factor_exposures=0, stress_test_results=0)),  # equity is negative
        ("two lots of one symbol", days(15, position_market_betas=26, position_volatility=26)
         | {"position_factor_exposures": 260}),
        ("market neutral", days(15, position_market_betas=30, position_volatility=30)
         | {"position_factor_exposures": 300}),
        ("entry on a day without price", days(10, correlation_calculations=0)),
        ("private only", days(0)),
        ("nothing", days(0)),
        ("first position late", days(9)),
        ("exit on a weekend", days(9, position_market_betas=18, position_volatility=18)
         | {"position_factor_exposures": 180}),
        ("option with prices", days(15, position_factor_exposures=0)
         | {"factor_exposures": 15, "stress_test_results": 19 * 15}),
    ],
)  # fmt: skip
def test_rows_of_a_portfolio(backfilled_cases: Book, case: str, expected: dict[str, int]) -> None:
    assert counts(backfilled_cases, backfilled_cases.portfolio_named(case)) == expected


def test_zero_equity_has_no_exposures_until_it_is_positive(backfilled_cases: Book) -> None:
    portfolio = backfilled_cases.portfolio_named("stops trading")
    equity = backfilled_cases.equity(portfolio)
    positive = sum(value > 0 for value in equity)
    assert 0 < positive < len(DAYS)
    assert counts(backfilled_cases, portfolio)["factor_exposures"] == 13 * positive


def test_without_exposure_the_snapshot_has_no_beta(backfilled_cases: Book) -> None:
    for case in ("short", "private only", "nothing"):
        stored = backfilled_cases.snapshots(backfilled_cases.portfolio_named(case))
        columns = [name for name in stored.columns if name.startswith("beta_")]
        assert stored[columns].isna().all(axis=None), case


def test_a_day_without_positions_stores_zeros_and_keeps_the_capital(backfilled_cases: Book) -> None:
    portfolio = backfilled_cases.portfolio_named("nothing")
    stored = backfilled_cases.snapshots(portfolio)
    assert set(stored["equity_balance"]) == {Decimal("0.00")}
    query = "SELECT equity_balance FROM portfolios WHERE id = %s"
    assert backfilled_cases.value(query, [portfolio]) == Decimal("500100.00")


def test_an_option_without_prices_counts_and_has_no_value(backfilled_cases: Book) -> None:
    stored = backfilled_cases.snapshots(backfilled_cases.portfolio_named("options"))
    assert list(stored["num_positions"]) == [3] * 8 + [2] * 7
    assert (stored["gross_exposure"] == stored["long_value"]).all()


def test_long_and_short_of_one_symbol_are_one_symbol_in_the_concentration(
    backfilled_cases: Book,
) -> None:
    stored = backfilled_cases.snapshots(
        backfilled_cases.portfolio_named("long and short of one symbol")
    )
    assert set(stored["hhi"]) == {Decimal("10000.0000")}
    assert (stored["gross_exposure"] > stored["net_exposure"]).all()


def test_the_pair_of_one_symbol_is_its_own(book: Book) -> None:
    portfolio = book.portfolio("one")
    book.position(portfolio, "S00", 1000)
    book.run(FIRST, FIRST)
    calculation = book.frame("SELECT * FROM correlation_calculations").iloc[0]
    assert calculation["overall_correlation"] == 0
    assert calculation["effective_positions"] == 1
    pairs = book.frame("SELECT symbol_1, symbol_2, correlation_value FROM pairwise_correlations")
    assert pairs.to_numpy().tolist() == [["S00", "S00", Decimal("1.000000")]]


def test_a_perfect_hedge_has_a_bounded_number_of_effective_positions(book: Book) -> None:
    """Two symbols that mirror each other would divide by zero."""
    book.no_prices("symbol = 'S01'")
    book.execute(
        "INSERT INTO market_data_cache "
        "SELECT gen_random_uuid(), 'S01', date, NULL, NULL, NULL, round(10000 / close, 4), NULL,"
        " NULL, NULL, NULL, NULL, NULL, 'test', now(), now()"
        " FROM market_data_cache WHERE symbol = 'S00'"
    )
    portfolio = book.portfolio("hedged")
    book.position(portfolio, "S00", 1000)
    book.position(portfolio, "S01", 1000, price="80")
    book.run(FIRST, FIRST)
    stored = book.value("SELECT effective_positions FROM correlation_calculations")
    assert 1000 < stored <= 10_000


def test_a_flat_symbol_correlates_with_nothing(book: Book) -> None:
    book.execute("UPDATE market_data_cache SET close = 50 WHERE symbol = 'S01'")
    portfolio = book.portfolio("flat")
    book.position(portfolio, "S00", 1000)
    book.position(portfolio, "S01", 1000, price="50")
    book.run(FIRST, FIRST)
    calculation = book.frame("SELECT * FROM correlation_calculations").iloc[0]
    assert (calculation["positions_included"], calculation["positions_excluded"]) == (1, 1)
    query = (
        "SELECT e.exposure_value FROM position_factor_exposures AS e "
        "JOIN positions AS p ON p.id = e.position_id WHERE p.symbol = 'S01'"
    )
    assert list(book.frame(query)["exposure_value"]) == [0] * 10


def test_a_day_without_any_price_changes_nothing(book: Book) -> None:
    portfolio = book.portfolio("all")
    book.position(portfolio, "S00", 1000)
    book.no_prices("date = %s", DAYS[5])
    book.run()
    stored = book.snapshots(portfolio)
    assert stored.loc[DAYS[5], "daily_pnl"] == 0
    assert stored.loc[DAYS[5], "long_value"] == stored.loc[DAYS[4], "long_value"]
    prices = book.closes["S00"]
    whole_move = Decimal(f"{prices[DAYS[6]] - prices[DAYS[4]]:.4f}") * 1000
    assert stored.loc[DAYS[6], "daily_pnl"] == whole_move
    assert counts(book, portfolio) == days(15)


LISTED_NO_MORE = "2025-03-05"
FIGURES_OF_A_POSITION = (
    "position_market_betas", "position_factor_exposures", "position_volatility",
    "position_interest_rate_betas",
)  # fmt: skip


@pytest.fixture
def two_stocks(book: Book) -> tuple[Book, UUID, UUID]:
    portfolio = book.portfolio("two stocks")
    return book, book.position(portfolio, "S00", 1000), book.position(portfolio, "S01", 500)


def figures_of(book: Book, position: UUID) -> dict[str, int]:
    query = "SELECT count(*) FROM {} WHERE position_id = %s"
    return {table: book.value(query.format(table), [position]) for table in FIGURES_OF_A_POSITION}


def test_a_symbol_that_is_listed_no_more_has_its_last_value_and_leaves_the_rest_whole(
    two_stocks: tuple[Book, UUID, UUID],
) -> None:
    book, goes_on, gone = two_stocks
    book.no_prices("symbol = 'S01' AND date >= %s", LISTED_NO_MORE)
    assert not book.run().failures
    each = {table: len(DAYS) for table in FIGURES_OF_A_POSITION}
    assert figures_of(book, goes_on) == {**each, "position_factor_exposures": 10 * len(DAYS)}
    ended = figures_of(book, gone)
    assert (ended["position_market_betas"], ended["position_interest_rate_betas"]) == (0, 0)
    stored = book.snapshots(book.portfolio_named("two stocks"))
    mark = Decimal(f"{book.closes['S01'][date(2025, 3, 4)]:.4f}") * 500
    own = Decimal(f"{book.closes['S00'][LAST]:.4f}") * 1000
    assert stored.loc[LAST, "long_value"] == (mark + own).quantize(Decimal("0.01"), "ROUND_HALF_UP")


@pytest.mark.parametrize(
    ("taken_away", "ended", "empty"),
    [
        ("symbol = 'SPY' AND date >= '2025-03-05'", {"SPY": date(2025, 3, 4)},
         {"position_market_betas"}),
        ("symbol = 'TLT'", {"TLT": None},
         {"position_interest_rate_betas", "stress_test_results"}),
    ],
)  # fmt: skip
def test_without_a_benchmark_what_rests_on_it_is_left_out_and_the_rest_is_computed(
    two_stocks: tuple[Book, UUID, UUID],
    taken_away: str,
    ended: dict[str, date | None],
    empty: set[str],
) -> None:
    book, *_ = two_stocks
    book.no_prices(taken_away)
    batch = plan_batch(book.url, BackfillRequest(FIRST, LAST))
    assert batch is not None
    assert batch.benchmarks.benchmarks_that_end() == ended
    assert not book.run().failures
    assert len(book.snapshots(book.portfolio_named("two stocks"))) == len(DAYS)
    tables = (*FIGURES_OF_A_POSITION, "stress_test_results", "factor_exposures")
    rows = {table: book.value(f"SELECT count(*) FROM {table}") for table in tables}
    assert {table for table, count in rows.items() if not count} == empty


def test_a_book_that_holds_nothing_listed_is_computed(book: Book) -> None:
    portfolio = book.portfolio("private")
    book.private(portfolio, "HOUSE", 500_000)
    assert book.run().portfolio_days == len(DAYS)
    assert set(book.snapshots(portfolio)["gross_exposure"]) == {500_000}


def test_prices_of_no_session_and_impossible_prices_are_not_used(book: Book) -> None:
    portfolio = book.portfolio("clean")
    book.position(portfolio, "S00", 1000)
    book.run()
    clean = book.content()
    book.set_close("S00", date(2025, 7, 12), 1)
    book.set_close("S00", date(2025, 7, 4), 1)
    book.set_close("S02", DAYS[5], 0)
    book.set_close("S03", DAYS[5], -5)
    book.set_close("S04", DAYS[5], "NaN")
    book.run(mode="all")
    assert book.content() == clean


def test_the_last_day_alone_is_done_again(book: Book) -> None:
    portfolio = book.portfolio("corrected")
    book.position(portfolio, "S00", 1000)
    book.run()
    before = book.equity(portfolio)
    book.set_close("S00", LAST, f"{book.closes['S00'][LAST] + 1:.4f}")
    assert book.run(LAST, LAST, mode="all").portfolio_days == 1
    assert book.equity(portfolio) == [*before[:-1], before[-1] + 1000]


@pytest.mark.parametrize("first", [FIRST, LAST])
def test_a_last_close_of_any_age_is_the_value(book: Book, first: date) -> None:
    book.set_close("OLD", date(2021, 3, 1), "12.5")
    portfolio = book.portfolio("dust")
    book.position(portfolio, "OLD", 100, price="20")
    book.position(portfolio, "S00", 1)
    book.run(first, LAST)
    stored = book.snapshots(portfolio).loc[LAST]
    mark = Decimal(f"{book.closes['S00'][LAST]:.4f}")
    assert stored["long_value"] == (1250 + mark).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert stored["num_positions"] == 2


def test_a_symbol_that_no_live_portfolio_holds_is_not_active(book: Book) -> None:
    kept, deleted = book.portfolio("kept"), book.portfolio("deleted")
    book.position(kept, "S00", 10)
    book.position(deleted, "S01", 10)
    renamed = book.position(kept, "S02", 10)
    book.run(FIRST, DAYS[3])
    assert active(book) == {"S00", "S01", "S02"}
    book.execute("UPDATE portfolios SET deleted_at = now() WHERE id = %s", [deleted])
    book.execute("UPDATE positions SET symbol = 'S00' WHERE id = %s", [renamed])
    book.run()
    assert active(book) == {"S00"}
    metrics = book.frame("SELECT symbol, metrics_date FROM symbol_daily_metrics")
    assert metrics.to_numpy().tolist() == [["S00", LAST]]
    assert book.value("SELECT count(*) FROM symbol_universe") == 3


def active(book: Book) -> set[str]:
    return set(book.frame("SELECT symbol FROM symbol_universe WHERE is_active")["symbol"])


def test_without_scenarios_there_are_no_stress_results(book: Book) -> None:
    book.execute("UPDATE stress_test_scenarios SET active = false")
    portfolio = book.portfolio("calm")
    book.position(portfolio, "S00", 1000)
    book.run()
    assert counts(book, portfolio) == days(15, stress_test_results=0)


def test_a_net_short_book_can_lose_more_than_a_dollar(book: Book) -> None:
    portfolio = book.portfolio("net short")
    book.position(portfolio, "S00", -5000)
    book.run(FIRST, FIRST)
    gross = book.snapshots(portfolio).loc[FIRST, "gross_exposure"]
    worst = book.value("SELECT min(direct_pnl) FROM stress_test_results")
    assert -gross <= worst < -1000


def test_sums_over_all_cases_are_what_the_rules_say(backfilled_cases: Book) -> None:
    assert backfilled_cases.value("SELECT count(*) FROM portfolio_snapshots") == len(CASES) * 15
    pairs = backfilled_cases.value("SELECT count(*) FROM pairwise_correlations")
    query = "SELECT sum(positions_included ^ 2) FROM correlation_calculations"
    assert pairs == backfilled_cases.value(query)
    query = (
        "SELECT count(*) FROM position_factor_exposures WHERE exposure_value = 'NaN' "
        "OR abs(exposure_value) > 5"
    )
    assert backfilled_cases.value(query) == 0


def test_the_planner_knows_what_was_written(backfilled_cases: Book) -> None:
    """Autovacuum analyses a table a minute later, and one of a few rows never."""
    unknown = "SELECT count(*) FROM pg_class WHERE oid = ANY(%s::regclass[]) AND reltuples < 1"
    tables = ["portfolios", "positions", "batch_run_tracking", "ops.backfill_ledger"]
    tables += ["ops.starting_capital", "portfolio_snapshots", "pairwise_correlations"]
    assert backfilled_cases.value(unknown, [tables]) == 0
