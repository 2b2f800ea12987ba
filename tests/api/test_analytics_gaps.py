"""Books that lack something: what is answered then, and why."""

from typing import Any

import pytest

from tests.api.analytics_books import BOOKS, ask, rows
from tests.api.backend import Backend

LIVE = ("overview", "sector-exposure", "concentration")
NO_CALCULATION = "no_calculation_available"


def quality(found: dict[str, Any]) -> tuple[str, int, int, int]:
    of = found["data_quality"]
    counts = (of["positions_total"], of["positions_analyzed"], of["positions_skipped"])
    return (of["flag"], *counts)


@pytest.mark.parametrize(
    ("path", "reason", "payload"),
    [
        ("factor-exposures", NO_CALCULATION, {"factors": []}),
        ("positions/factor-exposures", NO_CALCULATION, {"positions": [], "total": 0}),
        ("spread-factors", NO_CALCULATION, {"factors": []}),
        ("correlation-matrix", NO_CALCULATION, {"data": None}),
        ("diversification-score", NO_CALCULATION, {"portfolio_correlation": None}),
        ("stress-test", "no_results", {"data": None}),
        ("volatility", NO_CALCULATION, {"data": None}),
        ("beta-calculated-90d", NO_CALCULATION, {"data": None}),
        ("beta-provider-1y", NO_CALCULATION, {"data": None}),
        ("market-beta", NO_CALCULATION, {"data": None}),
        ("beta-comparison", NO_CALCULATION, {"positions": []}),
    ],
)
def test_private_assets_alone_have_no_market_risk(
    backend: Backend, path: str, reason: str, payload: dict[str, Any]
) -> None:
    found = ask(backend, "family_private", path)
    assert found["available"] is False
    assert found["portfolio_id"] == str(BOOKS["family_private"].id)
    assert found["metadata"]["reason"] == reason
    assert "no listed stock or fund" in found["metadata"]["message"]
    assert quality(found) == ("NO_PUBLIC_POSITIONS", 9, 0, 9)
    assert payload.items() <= found.items()


@pytest.mark.parametrize("path", LIVE)
def test_private_assets_have_a_composition(backend: Backend, path: str) -> None:
    found = ask(backend, "family_private", path)
    assert found.get("available", True) is True


def test_private_assets_do_not_move(backend: Backend) -> None:
    found = ask(backend, "family_private", "risk-metrics")
    assert found["risk_metrics"] == {
        "portfolio_beta": None,
        "annualized_volatility": 0.0,
        "max_drawdown": 0.0,
    }
    assert found["metadata"]["warnings"] == ["beta_unavailable"]
    assert found["metadata"]["beta_source"] == "unavailable"
    assert "beta_calculation_date" not in found["metadata"]


@pytest.mark.parametrize("path", ["correlation-matrix", "diversification-score"])
def test_holdings_too_small_for_a_correlation(backend: Backend, path: str) -> None:
    found = ask(backend, "starter", path)
    assert (found["available"], found["metadata"]["reason"]) == (False, NO_CALCULATION)
    assert quality(found) == ("NO_CORRELATION_CALCULATION", 6, 0, 6)


@pytest.mark.parametrize("lookback_days", [30, 89, 91, 365])
@pytest.mark.parametrize("path", ["correlation-matrix", "diversification-score"])
def test_only_ninety_days_of_correlations_are_computed(
    backend: Backend, path: str, lookback_days: int
) -> None:
    found = ask(backend, "hnw", path, lookback_days=lookback_days)
    assert (found["available"], found["metadata"]["reason"]) == (False, NO_CALCULATION)
    assert found["metadata"]["lookback_days"] == lookback_days
    assert f"{lookback_days} days" in found["data_quality"]["message"]


@pytest.mark.parametrize("path", ["correlation-matrix", "diversification-score"])
def test_an_overlap_that_no_pair_has(backend: Backend, path: str) -> None:
    found = ask(backend, "hnw", path, min_overlap=90)
    assert (found["available"], found["metadata"]["reason"]) == (False, "insufficient_data")
    assert found["calculation_date"] == "2025-12-19"
    assert found["data_quality"]["flag"] == "INSUFFICIENT_DATA"


def test_scenarios_that_nobody_knows(backend: Backend) -> None:
    found = ask(backend, "hnw", "stress-test", scenarios="nothing,like,this")
    assert (found["available"], found["data"]) == (False, None)
    assert found["metadata"]["reason"] == "no_results"
    assert found["metadata"]["scenarios_requested"] == ["nothing", "like", "this"]
    assert found["data_quality"]["flag"] == "NO_MATCHING_RESULTS"


def test_a_scenario_that_is_switched_off_has_no_results(
    backend: Backend, inactive_scenario: str
) -> None:
    found = ask(backend, "hnw", "stress-test", scenarios=inactive_scenario)
    assert found["data_quality"]["flag"] == "NO_MATCHING_RESULTS"


@pytest.fixture
def inactive_scenario(backend: Backend) -> str:
    query = "SELECT scenario_id FROM stress_test_scenarios WHERE NOT active ORDER BY 1 LIMIT 1"
    return str(rows(backend, query)[0][0])


def test_symbols_that_are_not_held(backend: Backend) -> None:
    found = ask(backend, "hnw", "positions/factor-exposures", symbols="ZZZZ")
    assert (found["available"], found["total"], found["positions"]) == (False, 0, [])
    assert found["metadata"]["reason"] == "no_matching_positions"
    assert found["data_quality"]["positions_total"] == 30
