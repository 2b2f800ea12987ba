"""Small portfolios made for one question each: what is held, realised and earned, and when."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.analytics_books import PATHS, rows
from tests.api.analytics_made_book import MadeBook, made_book
from tests.api.backend import Backend


@pytest.fixture
def book(backend: Backend) -> Iterator[MadeBook]:
    """An empty portfolio with an equity of 1,000 dollars and no snapshot."""
    with made_book(backend) as made:
        yield made


@pytest.mark.parametrize("path", PATHS[1:])
def test_an_empty_portfolio_has_nothing_to_show(book: MadeBook, path: str) -> None:
    found = book.ask(path)
    assert (found["available"], found["calculation_date"]) == (False, None)
    assert found["data_quality"] == {
        "flag": "NO_POSITIONS",
        "message": "The portfolio holds no open position",
        "positions_analyzed": 0,
        "positions_total": 0,
        "positions_skipped": 0,
        "data_days": 0,
    }
    assert found["metadata"]["reason"]


def test_the_overview_of_an_empty_portfolio(book: MadeBook) -> None:
    found = book.ask("overview")
    assert found["net_asset_value"] == found["equity_balance"] == found["cash_balance"] == 1000.0
    assert set(found["exposures"].values()) == {0.0}
    assert set(found["pnl"].values()) == {0.0}
    assert set(found["position_count"].values()) == {0}
    assert found["leverage"] == 0.0
    assert found["last_updated"] == "2025-01-02T12:00:00Z"


@pytest.mark.parametrize(
    ("path", "flag", "reason"),
    [
        ("factor-exposures", "NO_FACTOR_CALCULATIONS", "no_calculation_available"),
        ("positions/factor-exposures", "NO_FACTOR_CALCULATIONS", "no_calculation_available"),
        ("spread-factors", "NO_FACTOR_CALCULATIONS", "no_calculation_available"),
        ("correlation-matrix", "NO_CORRELATION_CALCULATION", "no_calculation_available"),
        ("diversification-score", "NO_CORRELATION_CALCULATION", "no_calculation_available"),
        ("stress-test", "NO_STRESS_TEST_RESULTS", "no_results"),
        ("volatility", "NO_VOLATILITY_DATA", "no_calculation_available"),
        ("beta-calculated-90d", "NO_BETA_DATA", "no_calculation_available"),
        ("beta-provider-1y", "NO_BETA_DATA", "no_calculation_available"),
        ("market-beta", "NO_BETA_DATA", "no_calculation_available"),
        ("risk-metrics", "NO_SNAPSHOT", "no_snapshots"),
    ],
)
def test_a_portfolio_that_the_batch_has_not_seen(
    book: MadeBook, path: str, flag: str, reason: str
) -> None:
    book.position("AAPL", 3, 100)
    found = book.ask(path)
    assert (found["available"], found["metadata"]["reason"]) == (False, reason)
    assert (found["data_quality"]["flag"], found["data_quality"]["positions_skipped"]) == (flag, 1)


def test_what_is_held_shows_without_a_snapshot(book: MadeBook) -> None:
    book.position("AAPL", 3, 100)
    query = "SELECT close::float8, date::text FROM market_data_cache WHERE symbol = 'AAPL' "
    close, day = rows(book.backend, query + "ORDER BY date DESC LIMIT 1")[0]
    overview = book.ask("overview")
    assert overview["exposures"]["long_exposure"] == pytest.approx(3 * close, abs=0.01)
    assert overview["cash_balance"] == pytest.approx(1000 - 3 * close, abs=0.01)
    assert overview["pnl"]["unrealized_pnl"] == pytest.approx(3 * (close - 100), abs=0.01)
    sectors = book.ask("sector-exposure")
    assert sectors["data"]["portfolio_weights"] == pytest.approx({"Technology": 3 * close / 1000})
    concentration = book.ask("concentration")
    assert concentration["data"]["hhi"] == 10_000
    assert concentration["metadata"]["interpretation"].startswith("Highly concentrated")
    assert sectors["calculation_date"] == concentration["calculation_date"] == day
    comparison = book.ask("beta-comparison")
    assert comparison["positions"][0]["calculated_beta"] is None
    assert comparison["positions"][0]["market_beta"] > 0
    assert comparison["calculation_date"] is None


def test_no_equity_was_ever_recorded(backend: Backend) -> None:
    with made_book(backend, equity=None) as book:
        book.position("HOME", 1, 400, investment_class="PRIVATE")
        overview, sectors = book.ask("overview"), book.ask("sector-exposure")
    assert (overview["equity_balance"], overview["net_asset_value"]) == (None, 400.0)
    assert (overview["cash_balance"], overview["leverage"]) == (0.0, 1.0)
    assert (sectors["available"], sectors["metadata"]["reason"]) == (False, "no_equity")


def test_a_book_under_water_has_no_shares(backend: Backend) -> None:
    with made_book(backend, equity=-50.0) as book:
        book.position("HOME", 1, 400, investment_class="PRIVATE")
        overview = book.ask("overview")
        assert book.ask("sector-exposure")["metadata"]["reason"] == "no_equity"
    assert (overview["net_asset_value"], overview["cash_balance"]) == (-50.0, -450.0)
    assert (overview["leverage"], overview["exposures"]["gross_percentage"]) == (0.0, 0.0)


def test_positions_without_any_price(book: MadeBook) -> None:
    book.position("NEVERWAS", 5, 10)
    assert book.ask("concentration")["metadata"]["reason"] == "no_positions"
    assert book.ask("sector-exposure")["metadata"]["reason"] == "no_positions"
    overview = book.ask("overview")
    assert overview["position_count"]["total_positions"] == 1
    assert overview["pnl"]["unrealized_pnl"] == 0.0


def test_equity_is_that_of_the_newest_snapshot(book: MadeBook) -> None:
    book.position("HOME", 1, 400, investment_class="PRIVATE")
    book.snapshot("2025-07-14", equity_balance=700)
    book.snapshot("2025-07-15", equity_balance=800)
    assert book.ask("overview")["net_asset_value"] == 800.0
    assert book.ask("overview")["last_updated"] == "2025-07-15T22:00:00Z"
    book.snapshot("2025-07-16", equity_balance=0, num_positions=0)
    assert book.ask("overview")["net_asset_value"] == 1000.0, "a day without positions says nothing"


@pytest.mark.parametrize(
    ("day", "asof"),
    [
        ("2025-03-31", "2025-03-31"),
        ("2025-06-29", "2025-03-31"),
        ("2025-06-30", "2025-06-30"),
        ("2025-09-29", "2025-06-30"),
        ("2026-05-04", "2025-09-30"),
    ],
)
def test_the_benchmark_is_the_newest_one_of_the_time(book: MadeBook, day: str, asof: str) -> None:
    book.position("HOME", 1, 400, investment_class="PRIVATE")
    book.snapshot(day, equity_balance=800)
    found = book.ask("sector-exposure")
    assert (found["calculation_date"], found["metadata"]["benchmark_date"]) == (day, asof)
    stored = rows(
        book.backend,
        "SELECT sector, weight::float8 FROM benchmarks_sector_weights WHERE asof_date = %s",
        [asof],
    )
    assert found["data"]["benchmark_weights"] == dict(stored)
    assert found["data"]["portfolio_weights"] == {"Unclassified": 0.5}


def test_there_was_no_benchmark_yet(book: MadeBook) -> None:
    book.position("HOME", 1, 400, investment_class="PRIVATE")
    book.snapshot("2025-03-30", equity_balance=800)
    found = book.ask("sector-exposure")
    assert (found["available"], found["metadata"]["reason"]) == (False, "no_benchmark")


OUT: dict[str, Any] = {"exit_date": "2025-05-05", "exit_price": 30}
REALIZED = [
    ("an exit that nothing was booked for", {"quantity": 4, **OUT}, [], 80.0),
    ("an exit of a short", {"quantity": -4, **OUT}, [], -80.0),
    ("an exit of an option", {"quantity": 1, **OUT, "position_type": "LC"}, [], 2000.0),
    ("an exit without a price", {"quantity": 4, "exit_date": "2025-05-05"}, [], 0.0),
    ("a booked exit", {"quantity": 4, **OUT}, [("2025-05-05", 79.5)], 79.5),
    ("an exit booked later", {"quantity": 4, **OUT}, [("2025-05-06", 79.5)], 79.5),
    ("a part sold before the exit", {"quantity": 4, **OUT}, [("2025-04-01", 7)], 87.0),
    ("two parts sold", {"quantity": 4}, [("2025-04-01", 7), ("2025-04-02", -3.25)], 3.75),
    ("an exit after the deletion", {"quantity": 4, **OUT, "deleted_at": "2025-05-04Z"}, [], 0.0),
    ("a deletion after the exit", {"quantity": 4, **OUT, "deleted_at": "2025-05-06Z"}, [], 80.0),
]


@pytest.mark.parametrize(
    ("values", "events", "realized"),
    [row[1:] for row in REALIZED],
    ids=[row[0] for row in REALIZED],
)
def test_realized_profit(
    book: MadeBook, values: dict[str, Any], events: list[tuple[str, float]], realized: float
) -> None:
    values = {**values, "investment_class": "PRIVATE"}
    position = book.position("HOME", values.pop("quantity"), 10, **values)
    for day, pnl in events:
        event = {"position_id": position, "portfolio_id": book.id, "trade_date": day}
        event |= {"quantity_closed": 1, "realized_pnl": pnl}
        book.insert(
            "position_realized_events", id=str(position)[:-8] + day.replace("-", ""), **event
        )
    pnl = book.ask("overview")["pnl"]
    assert pnl["realized_pnl"] == realized
    assert pnl["total_pnl"] == pnl["realized_pnl"] + pnl["unrealized_pnl"]


def test_year_and_month_are_those_of_the_newest_snapshot(book: MadeBook) -> None:
    earned = {"2024-12-31": 5, "2025-01-02": 7, "2025-01-31": 11, "2025-02-03": 13}
    for day, pnl in earned.items():
        book.snapshot(day, daily_pnl=pnl)
    book.snapshot("2025-02-04", daily_pnl=None)
    pnl = book.ask("overview")["pnl"]
    assert (pnl["ytd_pnl"], pnl["mtd_pnl"]) == (31.0, 13.0)


def test_target_returns_once_there_are_targets(book: MadeBook) -> None:
    book.snapshot(
        "2025-07-15",
        target_price_return_eoy=0.125,
        target_price_coverage_pct=50,
        target_price_positions_count=1,
        target_price_total_positions=2,
        target_price_last_updated="2025-07-15 12:30+02",
    )
    assert book.ask("overview")["target_returns"] == {
        "expected_return_eoy": 0.125,
        "expected_return_next_year": None,
        "downside_return": None,
        "coverage_pct": 50.0,
        "positions_with_targets": 1,
        "total_positions": 2,
        "last_updated": "2025-07-15T10:30:00Z",
    }
