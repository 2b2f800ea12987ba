"""Exposures, composition and stress of the demo's portfolios, computed once more from the
database."""

from typing import Any

import numpy as np
import pytest

from app.analytics.spreads import read_spread
from ops.plan_figures import LAST_DAY
from tests.api.analytics_books import BOOKS, PLAN_USERS, ask, equity, gross, held, rows
from tests.api.backend import Backend

KEYS = (*PLAN_USERS, "rotation")
SECTORS = {
    "Financial Services": "Financials",
    "Consumer Cyclical": "Consumer Discretionary",
    "Consumer Defensive": "Consumer Staples",
    "Basic Materials": "Materials",
}
STYLES = ["Value", "Growth", "Momentum", "Quality", "Size", "Low Volatility"]
SPREADS = ["Growth-Value Spread", "Momentum Spread", "Size Spread", "Quality Spread"]


def position_betas(backend: Backend, key: str) -> dict[str, dict[str, float]]:
    """Betas by position id and factor, of the last day."""
    found: dict[str, dict[str, float]] = {}
    for position, factor, beta in rows(
        backend,
        "SELECT e.position_id::text, d.name, e.exposure_value::float8 "
        "FROM position_factor_exposures e JOIN factor_definitions d ON d.id = e.factor_id "
        "JOIN positions p ON p.id = e.position_id "
        "WHERE p.portfolio_id = %s AND e.calculation_date = %s",
        [BOOKS[key].id, LAST_DAY],
    ):
        found.setdefault(position, {})[factor] = beta
    return found


def weighted(backend: Backend, key: str) -> dict[str, float]:
    """Dollar exposure to each factor: the positions' betas times their signed values."""
    betas = position_betas(backend, key)
    dollars: dict[str, float] = {}
    for one in held(backend, key):
        for factor, beta in betas.get(str(one.id), {}).items():
            dollars[factor] = dollars.get(factor, 0.0) + beta * one.value
    return dollars


@pytest.mark.parametrize("key", [*KEYS, "family_private"])
def test_the_overview_adds_up_what_is_held(backend: Backend, key: str) -> None:
    found, positions, nav = ask(backend, key, "overview"), held(backend, key), equity(backend, key)
    long = sum(one.value for one in positions if one.value > 0)
    short = sum(one.value for one in positions if one.value < 0)
    options = sum(one.investment_class == "OPTIONS" for one in positions)
    shorts = sum(one.position_type == "SHORT" for one in positions)
    unrealized = sum(one.value - one.cost for one in positions)
    assert found["net_asset_value"] == found["total_value"] == found["equity_balance"] == nav
    assert found["cash_balance"] == pytest.approx(nav - long - short, abs=0.02)
    assert found["leverage"] == pytest.approx((long - short) / nav, abs=1e-4)
    amounts = {"long": long, "short": short, "gross": long - short, "net": long + short}
    for name, amount in amounts.items():
        assert found["exposures"][f"{name}_exposure"] == pytest.approx(amount, abs=0.02)
        share = abs(amount) if name == "short" else amount
        percentage = found["exposures"][f"{name}_percentage"]
        assert percentage == pytest.approx(100 * share / nav, abs=0.01)
    assert found["position_count"] == {
        "total_positions": len(positions),
        "long_count": len(positions) - options - shorts,
        "short_count": shorts,
        "option_count": options,
    }
    assert found["pnl"]["unrealized_pnl"] == pytest.approx(unrealized, abs=0.02)
    assert found["pnl"]["total_pnl"] == pytest.approx(unrealized, abs=0.02)
    assert found["target_returns"] is None


@pytest.mark.parametrize("key", KEYS)
def test_profit_of_year_and_month_is_that_of_the_snapshots(backend: Backend, key: str) -> None:
    query = "SELECT sum(daily_pnl)::float8 FROM portfolio_snapshots WHERE portfolio_id = %s "
    query += "AND to_char(snapshot_date, %s) = %s"
    year = rows(backend, query, [BOOKS[key].id, "YYYY", "2025"])[0][0]
    month = rows(backend, query, [BOOKS[key].id, "YYYY-MM", "2025-12"])[0][0]
    found = ask(backend, key, "overview")["pnl"]
    assert (found["ytd_pnl"], found["mtd_pnl"]) == (pytest.approx(year), pytest.approx(month))
    assert found["mtd_pnl"] not in (0.0, found["ytd_pnl"])


@pytest.mark.parametrize("key", KEYS)
def test_factor_exposures_are_the_positions_betas_by_weight(backend: Backend, key: str) -> None:
    found, nav = ask(backend, key, "factor-exposures"), equity(backend, key)
    dollars = weighted(backend, key)
    names = [factor["name"] for factor in found["factors"]]
    assert names == [*STYLES, "IR Beta", "Market Beta (90D)", "Provider Beta (1Y)"]
    for factor in found["factors"][:6]:
        assert factor["exposure_dollar"] == pytest.approx(dollars[factor["name"]], rel=1e-5, abs=5)
        assert factor["beta"] == pytest.approx(dollars[factor["name"]] / nav, abs=2e-6)
    for factor in found["factors"][7:]:
        assert factor["exposure_dollar"] == pytest.approx(factor["beta"] * nav, abs=0.01)
    assert found["calculation_date"] == LAST_DAY.isoformat()
    assert found["data_quality"]["snapshot_date"] == LAST_DAY.isoformat()
    expected = {"factor_model": "9-factor", "completeness": "complete", "factors_calculated": 9}
    expected |= {"has_market_beta": True, "is_latest": True, "is_fallback": False}
    assert expected.items() <= found["metadata"].items()


@pytest.mark.parametrize("key", KEYS)
def test_the_two_betas_are_those_of_the_snapshot(backend: Backend, key: str) -> None:
    stored = rows(
        backend,
        "SELECT beta_calculated_90d::float8, beta_provider_1y::float8 FROM portfolio_snapshots "
        "WHERE portfolio_id = %s AND snapshot_date = %s",
        [BOOKS[key].id, LAST_DAY],
    )[0]
    factors = ask(backend, key, "factor-exposures")["factors"]
    assert tuple(factor["beta"] for factor in factors[-2:]) == stored


@pytest.mark.parametrize("key", KEYS)
def test_spread_factors_are_the_positions_betas_by_weight(backend: Backend, key: str) -> None:
    found, nav = ask(backend, key, "spread-factors"), equity(backend, key)
    dollars = weighted(backend, key)
    assert [factor["name"] for factor in found["factors"]] == SPREADS
    for factor in found["factors"]:
        assert factor["beta"] == pytest.approx(dollars[factor["name"]] / nav, abs=2e-6)
        assert factor["exposure_dollar"] == pytest.approx(factor["beta"] * nav, abs=5)
        assert f"{abs(factor['beta']):.2f}%" in factor["explanation"]


@pytest.mark.parametrize(
    ("name", "beta", "direction", "magnitude", "risk"),
    [
        ("Growth-Value Spread", 0.51, "Growth", "Strong", "high"),
        ("Growth-Value Spread", -0.5, "Value", "Moderate", "medium"),
        ("Momentum Spread", 0.21, "Momentum", "Moderate", "medium"),
        ("Momentum Spread", -0.2, "Contrarian", "Mild", "low"),
        ("Size Spread", 0.01, "Small Cap", "Mild", "low"),
        ("Size Spread", -2.0, "Large Cap", "Strong", "high"),
        ("Quality Spread", 0.3, "Quality", "Moderate", "medium"),
        ("Quality Spread", -0.7, "Speculative", "Strong", "high"),
        ("Momentum Spread", 0.0, "Neutral", "Mild", "low"),
        ("Quality Spread", 0.0, "Balanced", "Mild", "low"),
        ("A spread of tomorrow", 0.6, "Long", "Strong", "high"),
    ],
)
def test_a_spread_in_words(
    name: str, beta: float, direction: str, magnitude: str, risk: str
) -> None:
    found = read_spread(name, beta, None)
    assert (found["direction"], found["magnitude"], found["risk_level"]) == (
        direction,
        magnitude,
        risk,
    )
    assert ("gain" in found["explanation"]) == (beta > 0)
    assert ("lose" in found["explanation"]) == (beta < 0)


@pytest.mark.parametrize("key", KEYS)
def test_positions_have_their_ten_betas(backend: Backend, key: str) -> None:
    found = ask(backend, key, "positions/factor-exposures")
    stored = position_betas(backend, key)
    assert found["total"] == len(stored) == len(found["positions"])
    assert {one["position_id"]: one["exposures"] for one in found["positions"]} == stored
    assert list(found["positions"][0]["exposures"]) == [*STYLES, *SPREADS]
    symbols = [one["symbol"] for one in found["positions"]]
    assert symbols == sorted(symbols)


def test_pages_of_positions_are_the_whole(backend: Backend) -> None:
    whole = ask(backend, "hnw", "positions/factor-exposures")["positions"]
    pages: list[Any] = []
    for offset in range(0, 25, 5):
        page = ask(backend, "hnw", "positions/factor-exposures", limit=5, offset=offset)
        assert (page["total"], page["limit"], page["offset"]) == (len(whole), 5, offset)
        pages += page["positions"]
    assert pages == whole


def test_positions_past_the_end_are_none(backend: Backend) -> None:
    page = ask(backend, "hnw", "positions/factor-exposures", offset=1000)
    assert (page["available"], page["positions"]) == (True, [])
    assert page["total"] == 19


def test_positions_of_some_symbols(backend: Backend) -> None:
    found = ask(backend, "individual", "positions/factor-exposures", symbols=" aapl,,MSFT, NONE")
    assert {one["symbol"] for one in found["positions"]} == {"AAPL", "MSFT"}
    lots = [one for one in held(backend, "individual") if one.symbol in {"AAPL", "MSFT"}]
    assert found["total"] == len(lots) > 2
    assert found["metadata"]["symbols_requested"] == ["aapl", "MSFT", "NONE"]


@pytest.mark.parametrize("key", KEYS)
def test_stress_results_are_shares_of_the_portfolio(backend: Backend, key: str) -> None:
    found, nav = ask(backend, key, "stress-test")["data"], equity(backend, key)
    stored = {
        scenario: (category, name, severity, pnl)
        for scenario, category, name, severity, pnl in rows(
            backend,
            "SELECT s.scenario_id, s.category, s.name, s.severity, r.correlated_pnl::float8 "
            "FROM stress_test_results r JOIN stress_test_scenarios s ON s.id = r.scenario_id "
            "WHERE r.portfolio_id = %s AND r.calculation_date = %s",
            [BOOKS[key].id, LAST_DAY],
        )
    }
    assert (found["portfolio_value"], found["calculation_date"]) == (nav, LAST_DAY.isoformat())
    assert len(found["scenarios"]) == len(stored) == 19
    order = [(one["category"], one["name"]) for one in found["scenarios"]]
    assert order == sorted(order)
    for one in found["scenarios"]:
        category, name, severity, pnl = stored[one["id"]]
        assert (one["category"], one["name"], one["severity"]) == (category, name, severity)
        assert one["impact_type"] == "correlated"
        assert one["impact"] == {
            "dollar_impact": pnl,
            "percentage_impact": pytest.approx(100 * pnl / nav),
            "new_portfolio_value": pytest.approx(nav + pnl, abs=0.006),
        }


def test_stress_results_of_some_scenarios(backend: Backend) -> None:
    asked = "market_down_10, market_down_35,no_such_thing"
    found = ask(backend, "hnw", "stress-test", scenarios=asked)
    scenarios = {one["id"] for one in found["data"]["scenarios"]}
    assert scenarios == {"market_down_10", "market_down_35"}
    assert found["metadata"]["scenarios_requested"] == [
        "market_down_10",
        "market_down_35",
        "no_such_thing",
    ]


@pytest.mark.parametrize("key", [*KEYS, "family_private", "healthcare"])
def test_sectors_against_the_newest_benchmark(backend: Backend, key: str) -> None:
    found, nav = ask(backend, key, "sector-exposure"), equity(backend, key)
    profiles = {
        symbol: "ETFs" if fund else SECTORS.get(sector, sector)
        for symbol, sector, fund in rows(
            backend,
            "SELECT symbol, sector, coalesce(is_etf, false) OR coalesce(is_fund, false) "
            "FROM company_profiles",
        )
    }
    weights: dict[str, float] = {}
    counts: dict[str, int] = {}
    for one in held(backend, key):
        public = one.investment_class == "PUBLIC"
        sector = profiles.get(one.symbol) if public else "Unclassified"
        assert sector is not None
        weights[sector] = weights.get(sector, 0.0) + abs(one.value) / nav
        counts[sector] = counts.get(sector, 0) + 1
    weights = {sector: weight for sector, weight in weights.items() if weight}
    benchmark = dict(
        rows(
            backend,
            "SELECT sector, weight::float8 FROM benchmarks_sector_weights "
            "WHERE benchmark_code = 'SP500' AND asof_date = '2025-09-30'",
        )
    )
    excess = {
        name: weights.get(name, 0.0) - benchmark.get(name, 0.0) for name in {*weights, *benchmark}
    }
    data = found["data"]
    assert found["metadata"]["benchmark_date"] == "2025-09-30"
    assert data["portfolio_weights"] == pytest.approx(weights)
    assert data["benchmark_weights"] == benchmark
    assert data["over_underweight"] == pytest.approx(excess)
    assert data["largest_overweight"] == max(excess, key=lambda name: excess[name])
    assert data["largest_underweight"] == min(excess, key=lambda name: excess[name])
    assert data["positions_by_sector"] == counts
    total = sum(abs(one.value) for one in held(backend, key))
    assert data["total_portfolio_value"] == pytest.approx(total, abs=0.02)
    unclassified = weights.get("Unclassified", 0.0) * nav
    assert data["unclassified_value"] == pytest.approx(unclassified, abs=0.02)
    assert data["unclassified_count"] == counts.get("Unclassified", 0)


@pytest.mark.parametrize("key", [*KEYS, "family_private", "starter"])
def test_concentration_by_symbol(backend: Backend, key: str) -> None:
    found, values = ask(backend, key, "concentration")["data"], gross(backend, key)
    weights = np.array(sorted(values.values(), reverse=True)) / sum(values.values())
    assert found["hhi"] == pytest.approx(10_000 * (weights**2).sum())
    assert found["effective_num_positions"] == pytest.approx(1 / (weights**2).sum())
    assert found["top_3_concentration"] == pytest.approx(weights[:3].sum())
    assert found["top_10_concentration"] == pytest.approx(weights[:10].sum())
    assert found["total_positions"] == len(held(backend, key))
    assert list(found["position_weights"].values()) == pytest.approx(list(weights))
    total = sum(values.values())
    expected = {symbol: value / total for symbol, value in values.items()}
    assert found["position_weights"] == pytest.approx(expected)
