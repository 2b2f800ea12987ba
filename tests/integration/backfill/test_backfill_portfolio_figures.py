"""Figures of portfolios against textbook references, to the stored place."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from app.calculations.factors import FACTOR_NAMES, SHOCK_NAMES
from ops.reference_data import stress_scenarios
from tests.groups import soaked
from tests.integration.backfill.book import DAYS
from tests.integration.backfill.reference import (
    CHECKED,
    PROFILES,
    SECTOR,
    SHARES,
    STRESS_ETFS,
    STYLES,
    Reference,
    compare,
    factor_betas,
    index_fit,
    volatility,
)

TLT_DURATION = 16


def portfolio_betas(reference: Reference, day: date) -> dict[str, float]:
    """Value-weighted sums over equity of all thirteen betas."""
    sums = dict.fromkeys([*FACTOR_NAMES, "Market Beta (90D)", "Provider Beta (1Y)", "IR Beta"], 0.0)
    for symbol in SHARES:
        market = index_fit(reference, symbol, day, "SPY")
        rates = index_fit(reference, symbol, day, "TLT")
        given = float(PROFILES.get(symbol, {}).get("beta") or 0)
        own = {
            **factor_betas(reference, symbol, day),
            "Market Beta (90D)": market.slope if market else 0.0,
            "Provider Beta (1Y)": given or (market.slope if market else 0.0),
            "IR Beta": rates.slope if rates else 0.0,
        }
        for name, beta in own.items():
            sums[name] += reference.value(symbol, day) * beta
    return {name: float(total / reference.equity(day)) for name, total in sums.items()}


# As soon as the histories are long enough; `make soak` looks before that and at the ends too.
AT_THE_BOUND = [*soaked(*CHECKED[:2]), CHECKED[2], *soaked(CHECKED[3])]


@pytest.mark.parametrize("day", AT_THE_BOUND)
def test_factor_exposures_of_the_portfolio(reference: Reference, day: date) -> None:
    query = (
        "SELECT f.name, e.exposure_value, e.exposure_dollar FROM factor_exposures AS e "
        "JOIN factor_definitions AS f ON f.id = e.factor_id WHERE e.calculation_date = %s"
    )
    stored = reference.book.frame(query, [day]).set_index("name").to_dict("index")
    expected = portfolio_betas(reference, day)
    assert stored.keys() == expected.keys()
    for name, exposure in expected.items():
        figures = {
            "exposure_value": exposure,
            "exposure_dollar": exposure * reference.equity(day),
        }
        assert compare("factor_exposures", stored[name], figures) == []


@pytest.mark.parametrize("day", AT_THE_BOUND)
def test_betas_and_volatility_of_the_snapshot(reference: Reference, day: date) -> None:
    fits = {s: index_fit(reference, s, day, "SPY") for s in SHARES}
    known = {symbol: fit for symbol, fit in fits.items() if fit is not None}
    weights = {symbol: abs(reference.value(symbol, day)) for symbol in known}
    betas = portfolio_betas(reference, day)
    fit = sum(weights[s] * f.rvalue**2 for s, f in known.items()) / sum(weights.values())
    found = volatility(portfolio_returns(reference, day))
    expected = {
        "beta_calculated_90d": betas["Market Beta (90D)"],
        "beta_calculated_90d_r_squared": float(fit),
        "beta_calculated_90d_observations": min(
            len(reference.returns(day, 120, symbol, "SPY")) for symbol in known
        ),
        "beta_provider_1y": betas["Provider Beta (1Y)"],
        "beta_portfolio_regression": None,
        "realized_volatility_21d": found["realized_21d"],
        "realized_volatility_63d": found["realized_63d"],
        "expected_volatility_21d": found["expected_21d"],
        "volatility_trend": found["trend"],
        "volatility_percentile": found["percentile"],
    }
    stored = reference.book.snapshots(reference.portfolio).loc[day]
    assert compare("portfolio_snapshots", stored, expected) == []


def portfolio_returns(reference: Reference, day: date) -> pd.Series:
    """Today's weights held over the year; a hole's move comes with the next price."""
    known = [s for s in SHARES if len(reference.window(day, 365, s)) >= 64]
    prices = reference.prices.loc[day - timedelta(days=365) : day, known]
    weights = [reference.value(s, day) / reference.equity(day) for s in known]
    moves = prices.ffill().pct_change().iloc[1:].fillna(0.0)
    return moves @ np.array(weights)


@pytest.mark.parametrize("day", CHECKED)
def test_concentration_and_sectors_of_the_snapshot(reference: Reference, day: date) -> None:
    values = {symbol: abs(reference.value(symbol, day)) for symbol in SHARES} | {"HOUSE": 250_000.0}
    gross = sum(values.values())
    weights = sorted((value / gross for value in values.values()), reverse=True)
    hhi = 10_000 * sum(weight**2 for weight in weights)
    stored = reference.book.snapshots(reference.portfolio).loc[day]
    expected = {
        "hhi": hhi,
        "effective_num_positions": 10_000 / hhi,
        "top_3_concentration": sum(weights[:3]),
        "top_10_concentration": sum(weights[:10]),
    }
    assert compare("portfolio_snapshots", stored, expected) == []
    sectors = dict.fromkeys([*SECTOR.values(), "Unclassified"], 0.0)
    for symbol, value in values.items():
        sector = "Unclassified" if symbol == "HOUSE" else SECTOR.get(symbol)
        if sector is not None:
            sectors[sector] += value / reference.equity(day)
    assert stored["sector_exposure"] == pytest.approx(sectors, abs=5.1e-7)


@pytest.mark.parametrize("day", CHECKED)
def test_correlations(reference: Reference, day: date) -> None:
    stored, pairs = stored_correlations(reference, day)
    gross = float(reference.book.snapshots(reference.portfolio).loc[day, "gross_exposure"])
    values = {symbol: abs(reference.value(symbol, day)) for symbol in SHARES}
    passing = [s for s, v in values.items() if v >= 10_000 and v / gross >= 0.01]
    symbols = list(passing)
    while len(logs := log_returns(reference, day, symbols)) < 30:
        symbols.remove(min(symbols, key=lambda s: len(reference.window(day, 90, s))))
    matrix = np.corrcoef(logs.to_numpy().T)
    upper = matrix[np.triu_indices(len(symbols), 1)]
    expected = {
        "overall_correlation": float(np.abs(upper).mean()),
        "effective_positions": float(len(symbols) ** 2 / matrix.sum()),
        "correlation_concentration_score": 0.0,
        "positions_included": len(symbols),
        "positions_excluded": len(SHARES) + 2 - len(symbols),
        "duration_days": 90,
        "data_quality": "sufficient",
        "min_position_value": 10_000.0,
        "min_portfolio_weight": 0.01,
        "filter_mode": "both",
        "correlation_threshold": 0.7,
    }
    assert compare("correlation_calculations", stored, expected) == []
    assert len(symbols) < len(passing) or day in CHECKED[2:]
    assert pairs.keys() == {(a, b) for a in symbols for b in symbols}
    for (first, second), row in pairs.items():
        found = stats.pearsonr(logs[first], logs[second])
        same = first == second
        figures = {
            "correlation_value": 1.0 if same else float(found.statistic),
            "statistical_significance": 1.0 if same else float(1 - found.pvalue),
            "data_points": len(logs),
        }
        assert compare("pairwise_correlations", row, figures) == []


def log_returns(reference: Reference, day: date, symbols: list[str]) -> pd.DataFrame:
    return np.log(reference.window(day, 90, *symbols)).diff().iloc[1:]


def stored_correlations(
    reference: Reference, day: date
) -> tuple[dict[Any, Any], dict[tuple[str, str], dict[Any, Any]]]:
    calculation = reference.book.frame(
        "SELECT * FROM correlation_calculations WHERE calculation_date = %s", [day]
    ).to_dict("records")[0]
    rows = reference.book.frame(
        "SELECT * FROM pairwise_correlations WHERE correlation_calculation_id = %s",
        [calculation["id"]],
    )
    pairs = {(row["symbol_1"], row["symbol_2"]): row for row in rows.to_dict("records")}
    assert len(pairs) == len(rows)
    return calculation, pairs


@pytest.mark.parametrize("day", AT_THE_BOUND)
def test_stress_results(reference: Reference, day: date) -> None:
    query = (
        "SELECT s.scenario_id, s.category, s.name, r.* FROM stress_test_results AS r "
        "JOIN stress_test_scenarios AS s ON s.id = r.scenario_id WHERE r.calculation_date = %s"
    )
    frame = reference.book.frame(query, [day])
    frame.columns = pd.Index(["scenario_key", *frame.columns[1:]])
    stored = frame.set_index("scenario_key").to_dict("index")
    betas = portfolio_betas(reference, day)
    names = ["Market Beta (90D)", *STYLES, "IR Beta"]
    dollars = np.array([betas[name] for name in names]) * reference.equity(day)
    correlation, observations = factor_correlation(reference, day)
    net = sum(reference.value(symbol, day) for symbol in SHARES) + 250_000
    scenarios = {s["scenario_id"]: s for s in stress_scenarios() if s["active"]}
    assert stored.keys() == scenarios.keys()
    for key, scenario in scenarios.items():
        shocks = scenario["shock_config"]["shocked_factors"]
        moves = np.array([shocks.get(name, 0.0) for name in SHOCK_NAMES])
        moves[-1] *= -TLT_DURATION
        direct = max(float(dollars @ moves), -0.99 * net)
        correlated = max(float(dollars @ correlation @ moves), -0.99 * net)
        row = stored[key]
        figures = {"direct_pnl": direct, "correlated_pnl": correlated}
        assert compare("stress_test_results", row, figures) == []
        assert row["correlation_effect"] == row["correlated_pnl"] - row["direct_pnl"]
        impacts = {
            name: {
                "shock_pct": shock,
                "direct_pnl": dollars[SHOCK_NAMES.index(name)] * moves[SHOCK_NAMES.index(name)],
                "exposure": dollars[SHOCK_NAMES.index(name)],
            }
            for name, shock in shocks.items()
            if shock
        }
        assert row["factor_impacts"].keys() == impacts.keys()
        for name, impact in impacts.items():
            assert row["factor_impacts"][name] == pytest.approx(impact, abs=0.0051)
        assert row["calculation_metadata"] == {
            "scenario_name": row["name"],
            "category": row["category"],
            "correlation_date": day.isoformat(),
            "data_days": observations,
        }


def factor_correlation(reference: Reference, day: date) -> tuple[np.ndarray[Any, Any], int]:
    moves = reference.returns(day, 282, *STRESS_ETFS)[STRESS_ETFS]
    weights = 0.94 ** np.arange(len(moves) - 1, -1, -1)
    covariance = np.cov(moves.to_numpy().T, aweights=weights)
    sigma = np.sqrt(np.diag(covariance))
    matrix = np.clip(covariance / np.outer(sigma, sigma), -0.95, 0.95)
    np.fill_diagonal(matrix, 1.0)
    return matrix, len(moves)


def test_every_day_is_tracked(reference: Reference) -> None:
    stored = reference.book.frame("SELECT * FROM batch_run_tracking ORDER BY run_date")
    asked = len({*SHARES, "OPT", "S00", *STRESS_ETFS})
    for row in stored.to_dict("records"):
        priced = [
            symbol
            for symbol in {*SHARES, *STRESS_ETFS}
            if np.isfinite(reference.prices.loc[row["run_date"], symbol])
        ]
        statuses = [row[f"phase_{phase}_status"] for phase in (1, 2, 3)]
        assert statuses == ["success"] * 3
        assert row["portfolios_processed"] == 1
        assert row["symbols_fetched"] == len(priced)
        assert row["data_coverage_pct"] == round(Decimal(100 * len(priced)) / asked, 2)
        assert row["completed_at"] is not None
    assert list(stored["run_date"]) == list(DAYS)


def test_json_is_stored_as_the_backend_reads_it(reference: Reference) -> None:
    text = reference.book.value("SELECT sector_exposure::text FROM portfolio_snapshots LIMIT 1")
    assert all(isinstance(weight, float) for weight in json.loads(text).values())
