"""Which of several stored calculations an endpoint serves."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from tests.api.aggregate_books import ask
from tests.api.analytics_books import rows
from tests.api.analytics_made_book import MadeBook, made_book
from tests.api.backend import Backend

STYLES = ("Value", "Growth", "Momentum", "Quality", "Size", "Low Volatility", "IR Beta")
FIRST, SECOND, THIRD = "2025-07-14", "2025-07-15", "2025-07-16"


@pytest.fixture
def book(backend: Backend) -> Iterator[MadeBook]:
    """A portfolio with one private asset, which needs no price."""
    with made_book(backend) as made:
        made.position("HOME", 1, 400, investment_class="PRIVATE")
        yield made


def names(found: dict[str, object]) -> list[str]:
    factors = found["factors"]
    assert isinstance(factors, list)
    return [factor["name"] for factor in factors]


def test_a_complete_day_is_preferred_to_a_newer_one(book: MadeBook) -> None:
    book.exposures(FIRST, dict.fromkeys(STYLES, 0.5))
    book.exposures(SECOND, dict.fromkeys(STYLES, 0.75))
    book.exposures(THIRD, {"Growth": 1.25, "IR Beta": 0.25})
    found = book.ask("factor-exposures")
    assert found["calculation_date"] == SECOND
    assert found["factors"][0] == {"name": "Value", "beta": 0.75, "exposure_dollar": 750.0}
    expected = {"completeness": "complete", "is_latest": False, "is_fallback": True}
    assert expected.items() <= found["metadata"].items()
    newest = book.ask("factor-exposures", use_latest_successful=False)
    assert (newest["calculation_date"], names(newest)) == (THIRD, ["Growth", "IR Beta"])
    expected = {"completeness": "partial", "is_latest": True, "is_fallback": False}
    assert expected.items() <= newest["metadata"].items()


def test_days_whose_gaps_do_not_meet_are_not_complete(book: MadeBook) -> None:
    book.exposures(FIRST, dict.fromkeys(STYLES, 0.5))
    book.exposures(SECOND, dict.fromkeys(STYLES[1:], 0.75))
    book.exposures(THIRD, dict.fromkeys(STYLES[:1], 1.0))
    assert book.ask("factor-exposures")["calculation_date"] == FIRST


def test_no_day_is_complete(book: MadeBook) -> None:
    book.exposures(FIRST, dict.fromkeys(STYLES[1:], 0.5))
    book.exposures(SECOND, {"Size": 0.75})
    found = book.ask("factor-exposures")
    assert (found["calculation_date"], names(found)) == (SECOND, ["Size"])
    assert found["metadata"]["completeness"] == "partial"
    assert found["metadata"]["has_market_beta"] is False


def test_the_betas_are_of_the_day_that_is_served(book: MadeBook) -> None:
    book.exposures(SECOND, dict.fromkeys(STYLES, 0.5))
    book.snapshot(FIRST, equity_balance=200, beta_calculated_90d=0.9, beta_provider_1y=1.1)
    book.snapshot(THIRD, equity_balance=300, beta_calculated_90d=9, beta_provider_1y=9)
    found = book.ask("factor-exposures")
    assert found["factors"][-2:] == [
        {"name": "Market Beta (90D)", "beta": 0.9, "exposure_dollar": 180.0},
        {"name": "Provider Beta (1Y)", "beta": 1.1, "exposure_dollar": 220.0},
    ]
    assert found["data_quality"]["snapshot_date"] == FIRST
    assert (found["data_quality"]["is_stale"], found["data_quality"]["is_current"]) == (True, False)


def test_dollars_of_a_beta_need_equity(book: MadeBook) -> None:
    book.exposures(FIRST, dict.fromkeys(STYLES, 0.5))
    book.snapshot(FIRST, equity_balance=-5, beta_calculated_90d=0.9)
    last = book.ask("factor-exposures")["factors"][-1]
    assert last == {"name": "Market Beta (90D)", "beta": 0.9, "exposure_dollar": None}


def test_spreads_of_the_newest_day_with_any(book: MadeBook) -> None:
    book.exposures(FIRST, {"Growth-Value Spread": 0.4, "Size Spread": -0.7})
    book.exposures(SECOND, {"Size Spread": -0.1})
    found = book.ask("spread-factors")
    assert found["calculation_date"] == SECOND
    spread = found["factors"][0]
    assert (spread["direction"], spread["magnitude"]) == ("Large Cap", "Mild")
    assert (found["metadata"]["factors_calculated"], found["metadata"]["expected_factors"]) == (
        1,
        4,
    )


def test_positions_that_are_gone_have_no_betas(book: MadeBook) -> None:
    factor = rows(book.backend, "SELECT id FROM factor_definitions WHERE name = 'Value'")[0][0]
    lots = {
        "now": book.position("AAPL", 1, 10),
        "then": book.position("MSFT", 1, 10),
        "sold": book.position("NVDA", 1, 10, exit_date=SECOND),
        "deleted": book.position("TSLA", 1, 10, deleted_at=SECOND),
    }
    for name, lot in lots.items():
        day = FIRST if name == "then" else THIRD
        exposure = {"position_id": lot, "factor_id": factor, "calculation_date": day}
        book.insert("position_factor_exposures", **exposure, exposure_value=0.5)
    found = book.ask("positions/factor-exposures")
    assert (found["calculation_date"], found["total"]) == (THIRD, 1)
    assert found["positions"] == [
        {"position_id": str(lots["now"]), "symbol": "AAPL", "exposures": {"Value": 0.5}}
    ]


def correlate(
    book: MadeBook, moment: str, pairs: list[tuple[str, str, float | str, int]], days: int = 90
) -> UUID:
    calculation = uuid4()
    given = {"overall_correlation": 0.5, "correlation_concentration_score": 0}
    given |= {"effective_positions": 1.5, "positions_included": 2, "positions_excluded": 0}
    book.insert(
        "correlation_calculations",
        **{"id": calculation, "portfolio_id": book.id, "duration_days": days, **given},
        **{"calculation_date": moment, "data_quality": "sufficient"},
    )
    both = [*pairs, *((two, one, *rest) for one, two, *rest in pairs if one != two)]
    for one, two, correlation, points in both:
        pair = {"symbol_1": one, "symbol_2": two, "correlation_value": correlation}
        reference = {"correlation_calculation_id": calculation, "data_points": points}
        book.insert("pairwise_correlations", **reference, **pair)
    return calculation


def test_correlations_of_the_newest_calculation_by_utc(book: MadeBook) -> None:
    pairs = [("A", "A", 1, 60), ("B", "B", 1, 60)]
    correlate(book, "2025-11-30 12:00Z", [*pairs, ("A", "B", 0.1, 60)])
    correlate(book, "2025-12-01 01:00+02", [*pairs, ("A", "B", 0.2, 60)])
    correlate(book, "2025-12-05 00:00Z", [*pairs, ("A", "B", 0.3, 60)], days=30)
    found = book.ask("correlation-matrix")
    assert found["data"]["matrix"] == {"A": {"A": 1.0, "B": 0.2}, "B": {"A": 0.2, "B": 1.0}}
    assert found["calculation_date"] == found["metadata"]["calculation_date"] == "2025-11-30"
    other = book.ask("correlation-matrix", lookback_days=30)
    assert (other["data"]["matrix"]["A"]["B"], other["calculation_date"]) == (0.3, "2025-12-05")


def test_pairs_with_few_returns_in_common(book: MadeBook) -> None:
    own = [(symbol, symbol, 1, 60) for symbol in "ABC"]
    pairs = [("A", "B", 0.2, 60), ("A", "C", 0.3, 29), ("B", "C", "NaN", 60)]
    correlate(book, "2025-12-01 00:00Z", [*own, *pairs])
    matrix = book.ask("correlation-matrix")["data"]["matrix"]
    assert matrix == {
        "A": {"A": 1.0, "B": 0.2, "C": None},
        "B": {"A": 0.2, "B": 1.0, "C": None},
        "C": {"A": None, "B": None, "C": 1.0},
    }
    assert book.ask("correlation-matrix", min_overlap=29)["data"]["matrix"]["A"]["C"] == 0.3


def test_one_symbol_does_not_correlate(book: MadeBook) -> None:
    correlate(book, "2025-12-01 00:00Z", [("A", "A", 1, 60)])
    for path in ("correlation-matrix", "diversification-score"):
        found = book.ask(path)
        assert (found["available"], found["metadata"]["reason"]) == (False, "insufficient_symbols")
        assert found["calculation_date"] == "2025-12-01"


def test_symbols_that_are_no_longer_held_do_not_diversify(book: MadeBook) -> None:
    pairs = [("A", "A", 1, 60), ("B", "B", 1, 60), ("HOME", "HOME", 1, 60)]
    correlate(book, "2025-12-01 00:00Z", [*pairs, ("A", "B", 0.2, 60), ("A", "HOME", 0.2, 60)])
    found = book.ask("diversification-score")
    assert (found["available"], found["symbols_included"]) == (False, 3)
    assert found["metadata"]["reason"] == "insufficient_symbols"
    assert list(book.ask("correlation-matrix")["data"]["matrix"]) == ["HOME", "A", "B"]


def stress(book: MadeBook, day: str, scenario: str, pnl: float, created: str = "12:00Z") -> None:
    query = "SELECT id FROM stress_test_scenarios WHERE scenario_id = %s"
    book.insert(
        "stress_test_results",
        **{"id": uuid4(), "portfolio_id": book.id, "calculation_date": day},
        **{"scenario_id": rows(book.backend, query, [scenario])[0][0]},
        **{"direct_pnl": 0, "correlated_pnl": pnl, "correlation_effect": 0},
        created_at=f"{day} {created}",
    )


def test_stress_of_the_newest_day_with_what_is_asked_for(book: MadeBook) -> None:
    book.snapshot(FIRST, total_value=500)
    book.snapshot(THIRD, total_value=1000)
    stress(book, FIRST, "market_down_10", -50)
    stress(book, SECOND, "market_down_20", -400, "11:00Z")
    stress(book, SECOND, "market_down_20", -100, "13:00Z")
    found = book.ask("stress-test")
    assert [one["id"] for one in found["data"]["scenarios"]] == ["market_down_20"]
    impact = {"dollar_impact": -100.0, "percentage_impact": -20.0, "new_portfolio_value": 400.0}
    assert found["data"]["scenarios"][0]["impact"] == impact
    assert (found["calculation_date"], found["data"]["portfolio_value"]) == (SECOND, 500.0)
    with book.backend.client(book.email, book.user_id) as client:
        together = ask(client, "stress-test")["data"]["scenarios"]
    assert [(one["id"], one["impact"]["dollar_impact"]) for one in together] == [
        ("market_down_20", -100.0)
    ]
    older = book.ask("stress-test", scenarios="market_down_10")
    assert older["calculation_date"] == FIRST
    assert older["data"]["scenarios"][0]["impact"]["percentage_impact"] == -10.0


@pytest.mark.parametrize(
    ("snapshots", "flag"),
    [
        ({}, "NO_SNAPSHOT"),
        ({THIRD: 9}, "NO_SNAPSHOT"),
        ({FIRST: 0}, "ZERO_BASELINE"),
        ({FIRST: -5}, "ZERO_BASELINE"),
    ],
)
def test_stress_needs_a_value_to_compare_with(
    book: MadeBook, snapshots: dict[str, float], flag: str
) -> None:
    for day, value in snapshots.items():
        book.snapshot(day, total_value=value)
    stress(book, SECOND, "market_down_10", -50)
    found = book.ask("stress-test")
    assert (found["available"], found["metadata"]["reason"]) == (False, "no_snapshot")
    assert found["data_quality"]["flag"] == flag


def test_volatility_and_beta_of_the_newest_snapshot_that_has_them(book: MadeBook) -> None:
    book.snapshot(FIRST, realized_volatility_21d=0.1, beta_calculated_90d=0.5, beta_provider_1y=1)
    book.snapshot(SECOND, realized_volatility_21d=0.2)
    book.snapshot(THIRD)
    volatility = book.ask("volatility")
    assert volatility["calculation_date"] == SECOND
    assert list(volatility["data"].values()) == [0.2, None, None, None, None]
    for path in ("beta-calculated-90d", "market-beta", "beta-provider-1y"):
        assert book.ask(path)["calculation_date"] == FIRST
    assert book.ask("beta-provider-1y")["data"]["coverage_percentage"] == 0.0


def test_money_that_is_taken_out_is_no_loss(book: MadeBook) -> None:
    path = [(FIRST, 1000, 0), (SECOND, 500, 0), (THIRD, 450, -0.1), ("2025-07-17", 945, 0.1)]
    for day, value, change in path:
        book.snapshot(day, total_value=value, daily_return=change)
    found = book.ask("risk-metrics")
    assert found["risk_metrics"]["max_drawdown"] == pytest.approx(-0.1)
    assert found["metadata"]["observations"] == 4


def test_risk_of_a_single_day(book: MadeBook) -> None:
    book.snapshot(FIRST, daily_return=0.01)
    found = book.ask("risk-metrics")
    expected = {"portfolio_beta": None, "annualized_volatility": None, "max_drawdown": 0.0}
    assert found["risk_metrics"] == expected
    assert found["metadata"]["warnings"] == ["beta_unavailable", "few_snapshots"]


def test_the_window_of_risk_ends_at_the_newest_snapshot(book: MadeBook) -> None:
    book.exposures("2025-06-01", {"Market Beta (90D)": 0.75})
    book.exposures("2025-08-01", {"Market Beta (90D)": 9.0})
    for day, change in (("2025-06-13", -0.5), ("2025-06-14", 0.5), (FIRST, 0.01)):
        book.snapshot(day, daily_return=change)
    found = book.ask("risk-metrics", lookback_days=30)
    assert found["metadata"]["date_range"] == {"start": "2025-06-14", "end": FIRST}
    assert (found["metadata"]["observations"], found["risk_metrics"]["max_drawdown"]) == (2, 0.0)
    assert found["risk_metrics"]["portfolio_beta"] == 0.75
    assert found["metadata"]["beta_calculation_date"] == "2025-06-01"
