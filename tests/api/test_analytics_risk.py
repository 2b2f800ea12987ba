"""Correlations, volatility, betas and drawdowns of the demo's portfolios, computed once more from
prices and snapshots."""

from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from app.analytics.realized_risk import annualized_volatility, max_drawdown
from ops.plan_figures import LAST_DAY
from tests.api.analytics_books import BOOKS, PLAN_USERS, ask, equity, gross, held, rows
from tests.api.backend import Backend

KEYS = (*PLAN_USERS, "rotation")


def correlations(backend: Backend, symbols: list[str]) -> NDArray[np.float64]:
    """Of log returns on the days of the last 90 on which all symbols have a close."""
    closes: dict[object, dict[str, float]] = {}
    for symbol, day, close in rows(
        backend,
        "SELECT symbol, date, close::float8 FROM market_data_cache "
        "WHERE symbol = ANY(%s) AND date BETWEEN %s AND %s AND close > 0 ORDER BY date",
        [symbols, LAST_DAY - timedelta(days=90), LAST_DAY],
    ):
        closes.setdefault(day, {})[symbol] = close
    common = [day for day in closes.values() if len(day) == len(symbols)]
    prices = np.array([[day[symbol] for symbol in symbols] for day in common])
    found: NDArray[np.float64] = np.corrcoef(np.diff(np.log(prices), axis=0), rowvar=False)
    return found


@pytest.mark.parametrize("key", [*KEYS, "education"])
def test_the_matrix_is_that_of_the_prices(backend: Backend, key: str) -> None:
    found = ask(backend, key, "correlation-matrix", max_symbols=50)
    matrix = found["data"]["matrix"]
    symbols = list(matrix)
    expected = correlations(backend, symbols)
    served = np.array([[matrix[one][other] for other in symbols] for one in symbols])
    np.testing.assert_allclose(served, expected, atol=1e-6)
    pairs = np.abs(expected[np.triu_indices(len(symbols), 1)])
    assert found["data"]["average_correlation"] == pytest.approx(pairs.mean(), abs=1e-6)
    values = gross(backend, key)
    assert symbols == sorted(symbols, key=lambda symbol: (-values[symbol], symbol))
    significant = {
        symbol: value
        for symbol, value in values.items()
        if value / sum(values.values()) >= 0.02 and value >= 20_000
    }
    listed = {one.symbol for one in held(backend, key) if one.investment_class == "PUBLIC"}
    assert significant.keys() & listed <= set(symbols)
    assert found["metadata"] == {
        "calculation_date": LAST_DAY.isoformat(),
        "duration_days": 90,
        "symbols_included": len(symbols),
        "selection_method": "weight",
        "lookback_days": 90,
        "min_overlap": 30,
        "max_symbols": 50,
    }


def test_the_matrix_of_the_largest_symbols(backend: Backend) -> None:
    whole = ask(backend, "hedge_fund", "correlation-matrix", max_symbols=50)["data"]
    part = ask(backend, "hedge_fund", "correlation-matrix", max_symbols=3)["data"]
    largest = list(whole["matrix"])[:3]
    assert list(part["matrix"]) == largest
    for one in largest:
        assert part["matrix"][one] == {other: whole["matrix"][one][other] for other in largest}
    assert part["average_correlation"] == whole["average_correlation"]


@pytest.mark.parametrize("key", [*KEYS, "education"])
def test_diversification_weights_each_pair(backend: Backend, key: str) -> None:
    found = ask(backend, key, "diversification-score")
    symbols = list(ask(backend, key, "correlation-matrix", max_symbols=50)["data"]["matrix"])
    values = gross(backend, key)
    weight = np.array([values[symbol] for symbol in symbols])
    pair = np.triu(np.outer(weight, weight), 1)
    expected = (pair * np.abs(correlations(backend, symbols))).sum() / pair.sum()
    assert found["portfolio_correlation"] == pytest.approx(expected, abs=2e-6)
    assert (found["symbols_included"], found["duration_days"]) == (len(symbols), 90)
    assert found["calculation_date"] == LAST_DAY.isoformat()


@pytest.mark.parametrize("key", KEYS)
def test_volatility_is_that_of_the_newest_snapshot(backend: Backend, key: str) -> None:
    found = ask(backend, key, "volatility")
    columns = ("realized_volatility_21d", "realized_volatility_63d", "expected_volatility_21d")
    stored = rows(
        backend,
        f"SELECT {', '.join(f'{column}::float8' for column in columns)}, volatility_trend, "
        "volatility_percentile::float8 FROM portfolio_snapshots "
        "WHERE portfolio_id = %s AND snapshot_date = %s",
        [BOOKS[key].id, LAST_DAY],
    )[0]
    names = (*columns, "volatility_trend", "volatility_percentile")
    assert found["data"] == dict(zip(names, stored, strict=True))
    assert found["data"]["realized_volatility_21d"] > 0
    assert found["calculation_date"] == LAST_DAY.isoformat()


@pytest.mark.parametrize("key", KEYS)
def test_the_market_beta_is_the_positions_betas_by_weight(backend: Backend, key: str) -> None:
    betas = {
        position: (beta, r_squared, observations)
        for position, beta, r_squared, observations in rows(
            backend,
            "SELECT position_id, beta::float8, r_squared::float8, observations "
            "FROM position_market_betas WHERE portfolio_id = %s AND calc_date = %s",
            [BOOKS[key].id, LAST_DAY],
        )
    }
    known = [(one.value, *betas[one.id]) for one in held(backend, key) if one.id in betas]
    value, beta, r_squared, observations = (np.array(column) for column in zip(*known, strict=True))
    weighted = float((value * beta).sum() / equity(backend, key))
    fit = float((np.abs(value) * r_squared).sum() / np.abs(value).sum())
    found = ask(backend, key, "beta-calculated-90d")
    assert found["data"] == {
        "beta_calculated_90d": pytest.approx(weighted, abs=6e-5),
        "beta_calculated_90d_r_squared": pytest.approx(fit, abs=6e-5),
        "beta_calculated_90d_observations": observations.min(),
    }
    assert found["calculation_date"] == LAST_DAY.isoformat()
    older = ask(backend, key, "market-beta")["data"]
    assert list(older.values()) == [*found["data"].values(), None]
    assert older["market_beta_weighted"] == found["data"]["beta_calculated_90d"]


@pytest.mark.parametrize("key", KEYS)
def test_the_provider_beta_and_its_coverage(backend: Backend, key: str) -> None:
    profiles = dict(rows(backend, "SELECT symbol, beta::float8 FROM company_profiles"))
    computed = dict(
        rows(
            backend,
            "SELECT position_id, beta::float8 FROM position_market_betas "
            "WHERE portfolio_id = %s AND calc_date = %s",
            [BOOKS[key].id, LAST_DAY],
        )
    )
    positions = held(backend, key)
    dollars = sum(
        one.value * (profiles.get(one.symbol) or computed[one.id])
        for one in positions
        if one.investment_class == "PUBLIC"
    )
    covered = sum(bool(profiles.get(one.symbol)) for one in positions)
    found = ask(backend, key, "beta-provider-1y")["data"]
    assert found == {
        "beta_provider_1y": pytest.approx(dollars / equity(backend, key), abs=6e-5),
        "positions_with_beta": covered,
        "positions_total": len(positions),
        "coverage_percentage": pytest.approx(100 * covered / len(positions), abs=0.005),
    }


@pytest.mark.parametrize("key", KEYS)
def test_both_betas_of_every_position(backend: Backend, key: str) -> None:
    found = ask(backend, key, "beta-comparison")
    stored = {
        str(position): rest
        for position, *rest in rows(
            backend,
            "SELECT p.id, p.symbol, c.beta::float8, b.beta::float8, b.r_squared::float8, "
            "b.calc_date::text, b.observations FROM positions p "
            "LEFT JOIN company_profiles c ON c.symbol = p.symbol "
            "LEFT JOIN position_market_betas b ON b.position_id = p.id AND b.calc_date = %s "
            "WHERE p.portfolio_id = %s",
            [LAST_DAY, BOOKS[key].id],
        )
    }
    assert [one["position_id"] for one in found["positions"]] == [
        str(one.id) for one in held(backend, key)
    ]
    for one in found["positions"]:
        symbol, provided, calculated, *regression = stored[one["position_id"]]
        assert (one["symbol"], one["market_beta"]) == (symbol, provided)
        assert one["calculated_beta"] == calculated
        fit = [one["beta_r_squared"], one["calculation_date"], one["observations"]]
        assert fit == regression
        both = provided is not None and calculated is not None
        difference = pytest.approx(calculated - provided) if both else None
        assert one["beta_difference"] == difference
    for kind in ("market_beta", "calculated_beta"):
        known = sum(one[kind] is not None for one in found["positions"])
        assert found["metadata"][f"positions_with_{kind}"] == known
    assert known > 0


@pytest.mark.parametrize("lookback_days", [30, 90, 252])
@pytest.mark.parametrize("key", KEYS)
def test_risk_of_the_recent_past(backend: Backend, key: str, lookback_days: int) -> None:
    found = ask(backend, key, "risk-metrics", lookback_days=lookback_days)
    start = LAST_DAY - timedelta(days=lookback_days)
    window = np.array(
        rows(
            backend,
            "SELECT daily_return::float8, total_value::float8 FROM portfolio_snapshots "
            "WHERE portfolio_id = %s AND snapshot_date >= %s ORDER BY snapshot_date",
            [BOOKS[key].id, start],
        )
    )
    value = window[:, 1]
    # Nothing is paid in or out of the demo's portfolios, so their values fall as their returns do.
    drawdown = (value / np.maximum.accumulate(value) - 1).min()
    beta = rows(
        backend,
        "SELECT e.exposure_value::float8 FROM factor_exposures e JOIN factor_definitions d "
        "ON d.id = e.factor_id WHERE d.name = 'Market Beta (90D)' AND e.portfolio_id = %s "
        "AND e.calculation_date = %s",
        [BOOKS[key].id, LAST_DAY],
    )[0][0]
    assert found["risk_metrics"] == {
        "portfolio_beta": beta,
        "annualized_volatility": pytest.approx(window[:, 0].std(ddof=1) * 252**0.5),
        "max_drawdown": pytest.approx(drawdown, abs=5e-5),
    }
    assert found["risk_metrics"]["max_drawdown"] < 0
    metadata = found["metadata"]
    assert metadata["date_range"] == {"start": start.isoformat(), "end": LAST_DAY.isoformat()}
    assert (metadata["observations"], metadata["warnings"]) == (len(window), [])
    assert metadata["beta_source"] == "factor_exposure"
    assert metadata["beta_calculation_date"] == LAST_DAY.isoformat()


@pytest.mark.parametrize(
    ("returns", "drawdown"),
    [
        ([], 0.0),
        ([0.1, 0.2], 0.0),
        ([-0.1], -0.1),
        ([0.5, -0.2, -0.25, 0.9, -0.1], -0.4),
        ([-0.1, 0.5, -0.05], -0.1),
        ([-1.0, 0.5], -1.0),
    ],
)
def test_drawdown(returns: list[float], drawdown: float) -> None:
    assert max_drawdown(returns) == pytest.approx(drawdown)


@pytest.mark.parametrize(
    ("returns", "volatility"),
    [([], None), ([0.1], None), ([0.01, 0.01], 0.0), ([0.01, -0.01], 0.0002**0.5 * 252**0.5)],
)
def test_annualized_volatility(returns: list[float], volatility: float | None) -> None:
    found = annualized_volatility(returns)
    assert found == (None if volatility is None else pytest.approx(volatility))
