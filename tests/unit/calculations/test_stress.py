import numpy as np
import pandas as pd
import pytest

from app.calculations.factors import (
    REQUIRED_ETFS,
    SHOCK_NAMES,
    STRESS_FACTOR_ETFS,
    STRESS_FACTOR_NAMES,
)
from app.calculations.stress import (
    TLT_EFFECTIVE_DURATION_YEARS,
    factor_correlations,
    stress_results,
)
from tests.unit.calculations.conftest import Market

MARKET, RATES = STRESS_FACTOR_NAMES.index("Market"), STRESS_FACTOR_NAMES.index("Interest Rate")
IDENTITY = np.eye(8)[None]


def _row(**values: float) -> np.ndarray:
    row = np.zeros((1, 8))
    for name, value in values.items():
        row[0, SHOCK_NAMES.index(name)] = value
    return row


def test_the_axis_of_eight_factors() -> None:
    assert STRESS_FACTOR_NAMES == (
        "Market",
        "Value",
        "Growth",
        "Momentum",
        "Quality",
        "Size",
        "Low Volatility",
        "Interest Rate",
    )
    assert SHOCK_NAMES[-2:] == ("Low_Volatility", "Interest_Rate")
    assert sorted(STRESS_FACTOR_ETFS.values()) == sorted(REQUIRED_ETFS)


def test_correlations_agree_with_pandas(market: Market) -> None:
    found = factor_correlations(market.dates, market.days, market.etfs)
    columns = [market.etfs[etf] for etf in STRESS_FACTOR_ETFS.values()]
    for day in range(0, 60, 11):
        returns = market.window(market.days[day], 282, *columns).dropna().pct_change().iloc[1:]
        expected = returns.ewm(alpha=0.06).corr().iloc[-8:].to_numpy()
        expected = np.clip(expected, -0.95, 0.95)
        np.fill_diagonal(expected, 1.0)
        np.testing.assert_allclose(found[day], expected, atol=1e-12)


def test_strong_correlations_are_clipped_and_a_still_etf_correlates_with_nothing(
    market: Market,
) -> None:
    spy = market.etfs["SPY"]
    etfs = {**market.etfs, "IWM": spy, "TLT": np.full(len(spy), 90.0)}
    found = factor_correlations(market.dates, market.days, etfs)
    assert (found[:, MARKET, STRESS_FACTOR_NAMES.index("Size")] == 0.95).all()
    assert (found[:, RATES] == np.eye(8)[RATES]).all()


@pytest.mark.parametrize("sessions", [30, 31])
def test_thirty_returns_are_needed(market: Market, sessions: int) -> None:
    part = {etf: closes[-sessions:] for etf, closes in market.etfs.items()}
    part = {etf: pd.Series(closes).ffill().bfill().to_numpy() for etf, closes in part.items()}
    found = factor_correlations(market.dates[-sessions:], np.array([sessions - 1]), part)
    assert np.isfinite(found).all() == (sessions == 31)


def test_a_missing_etf_leaves_the_matrix_unknown(market: Market) -> None:
    etfs = {etf: closes for etf, closes in market.etfs.items() if etf != "TLT"}
    assert np.isnan(factor_correlations(market.dates, market.days, etfs)).all()


def test_a_market_shock_moves_the_market_exposure_and_what_is_correlated_with_it() -> None:
    correlation = np.eye(8)[None].copy()
    correlation[0, 0, 1] = correlation[0, 1, 0] = 0.5
    exposure = _row(Market=100_000.0, Value=40_000.0)
    book = np.array([1e6])
    direct, correlated = stress_results(exposure, _row(Market=-0.35), correlation, book, book)
    assert direct[0, 0] == pytest.approx(-35_000)
    assert correlated[0, 0] == pytest.approx(-35_000 - 0.5 * 40_000 * 0.35)


def test_a_rate_rise_hurts_what_moves_with_bonds() -> None:
    book = np.array([1e6])
    direct, correlated = stress_results(
        _row(Interest_Rate=50_000.0), _row(Interest_Rate=0.01), IDENTITY, book, book
    )
    assert direct[0, 0] == pytest.approx(-TLT_EFFECTIVE_DURATION_YEARS * 0.01 * 50_000)
    assert correlated[0, 0] == direct[0, 0]


@pytest.mark.parametrize(
    ("net", "gross", "floor"),
    [(100.0, 300.0, -99.0), (-100.0, 300.0, -297.0), (0.0, 50.0, -49.5)],
)
def test_losses_end_at_the_floor(net: float, gross: float, floor: float) -> None:
    losses = stress_results(
        _row(Market=1e6), _row(Market=-0.9), IDENTITY, np.array([net]), np.array([gross])
    )
    assert [float(loss[0, 0]) for loss in losses] == pytest.approx([floor, floor])


def test_days_and_scenarios_are_independent(market: Market) -> None:
    rng = np.random.default_rng(2)
    exposure, shocks = rng.normal(0, 1e5, (60, 8)), rng.normal(0, 0.1, (19, 8))
    correlation = factor_correlations(market.dates, market.days, market.etfs)
    net, gross = rng.normal(0, 1e6, 60), np.full(60, 2e6)
    whole = stress_results(exposure, shocks, correlation, net, gross)
    single = stress_results(exposure[[7]], shocks[[3]], correlation[[7]], net[[7]], gross[[7]])
    for all_days, one in zip(whole, single, strict=True):
        assert one[0, 0] == pytest.approx(all_days[7, 3])


def test_an_unknown_exposure_counts_as_none_and_shocks_stay_as_given() -> None:
    shocks, book = _row(Market=0.1, Interest_Rate=0.01), np.array([1e6])
    before = shocks.copy()
    direct, _ = stress_results(np.full((1, 8), np.nan), shocks, IDENTITY, book, book)
    assert direct[0, 0] == 0.0
    np.testing.assert_array_equal(shocks, before)
