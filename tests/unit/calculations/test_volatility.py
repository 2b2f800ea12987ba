import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from app.calculations.volatility import VolatilityStatistics, volatility_statistics
from app.calculations.volatility_series import portfolio_volatility, symbol_volatility
from tests.unit.calculations.conftest import (
    ABSENT,
    CONSTANT,
    HOLES,
    LISTED_LATE,
    MORE_HOLES,
    STOPPED,
    TOO_YOUNG,
    WHOLE,
    Market,
)

YEAR = np.sqrt(252)
FIGURES = (
    "realized_21d",
    "realized_63d",
    "daily",
    "weekly",
    "monthly",
    "expected_21d",
    "model_r_squared",
    "trend_strength",
    "percentile",
)


def reference(returns: pd.Series) -> dict[str, float | str | None]:
    """The statistics of one window by pandas, SciPy and scikit-learn."""
    rolling = {n: returns.rolling(n).std() * YEAR for n in (5, 21, 63)}
    har = pd.DataFrame({"d": returns.abs() * YEAR, "w": rolling[5], "m": rolling[21]})
    target = (returns.abs() * YEAR).shift(-1)
    fitted = har.notna().all(axis=1) & target.notna()
    model = LinearRegression().fit(har[fitted], target[fitted])
    line = stats.linregress(np.arange(21), rolling[21].iloc[-21:])
    moving = abs(line.slope) > 0.001 and line.rvalue**2 > 0.3
    direction = "increasing" if line.slope > 0 else "decreasing"
    monthly = rolling[21].dropna()
    return {
        "realized_21d": rolling[21].iloc[-1],
        "realized_63d": rolling[63].iloc[-1],
        "daily": abs(returns.iloc[-1]) * YEAR,
        "weekly": rolling[5].iloc[-1],
        "monthly": rolling[21].iloc[-1],
        "expected_21d": max(model.predict(har.iloc[[-1]])[0], 0.0),
        "model_r_squared": model.score(har[fitted], target[fitted]),
        "trend": direction if moving else "stable",
        "trend_strength": line.rvalue**2,
        "percentile": (monthly < monthly.iloc[-1]).mean() if len(returns) >= 240 else np.nan,
    }


def assert_agrees(
    found: VolatilityStatistics, at: tuple[int, ...], expected: dict[str, float | str | None]
) -> None:
    for name in FIGURES:
        value = getattr(found, name)[at]
        assert value == pytest.approx(expected[name], abs=1e-8, nan_ok=True), name
    assert found.trend[at] == expected["trend"]


@pytest.fixture(scope="module")
def symbols(market: Market) -> VolatilityStatistics:
    return symbol_volatility(market.prices, market.dates, market.days)


@pytest.mark.parametrize("column", [WHOLE, HOLES, MORE_HOLES, LISTED_LATE, STOPPED])
def test_symbol_figures_agree_with_the_references(
    market: Market, symbols: VolatilityStatistics, column: int
) -> None:
    compared = 0
    for day in (*range(0, 60, 9), 59):
        window = market.window(market.days[day], 365, market.prices[:, column])[0]
        returns = window.dropna().pct_change().iloc[1:]
        assert symbols.observations[day, column] == len(returns)
        if len(returns) < 63:
            assert np.isnan(symbols.realized_21d[day, column])
            assert symbols.trend[day, column] is None
            continue
        assert_agrees(symbols, (day, column), reference(returns))
        compared += 1
    assert compared >= 3


def test_every_trend_label_occurs(symbols: VolatilityStatistics) -> None:
    assert set(symbols.trend[:, WHOLE]) | set(symbols.trend[:, HOLES]) == {
        "increasing",
        "stable",
        "decreasing",
    }


def test_three_tenths_of_the_variance_on_a_line_are_a_trend() -> None:
    returns = np.random.default_rng(5).normal(0, 0.03, (63, 300))
    windows = np.zeros(300, int), np.full(300, 63), np.arange(300)
    found = volatility_statistics(returns, *windows)
    near = np.flatnonzero(np.abs(found.trend_strength - 0.3) < 0.05)
    seen = set()
    for column in near:
        assert_agrees(found, (column,), reference(pd.Series(returns[:, column])))
        seen.add((found.trend[column], found.trend_strength[column] > 0.3))
    assert seen == {("stable", False), ("increasing", True), ("decreasing", True)}


def test_the_percentile_needs_a_full_years_window(symbols: VolatilityStatistics) -> None:
    full = symbols.observations >= 240
    assert full.any()
    assert np.isfinite(symbols.percentile[full]).all()
    assert np.isnan(symbols.percentile[~full]).all()
    assert np.isfinite(symbols.realized_21d[~full & (symbols.observations >= 63)]).all()


def test_without_63_returns_nothing_is_known(symbols: VolatilityStatistics) -> None:
    for name in FIGURES:
        assert np.isnan(getattr(symbols, name)[:, [ABSENT, TOO_YOUNG]]).all()
    assert set(symbols.trend[:, TOO_YOUNG]) == {None}
    assert symbols.observations[-1, TOO_YOUNG] == 19


def test_a_price_that_never_moves_is_calm_and_stable(symbols: VolatilityStatistics) -> None:
    for name in FIGURES:
        assert (getattr(symbols, name)[:, CONSTANT] == 0).all(), name
    assert set(symbols.trend[:, CONSTANT]) == {"stable"}


def test_steady_growth_has_no_volatility() -> None:
    returns = np.full((300, 1), 0.001) + np.spacing(0.001) * (np.arange(300) % 2)[:, None]
    found = volatility_statistics(returns, np.array([0]), np.array([300]), np.array([0]))
    assert found.realized_21d[0] == found.realized_63d[0] == found.weekly[0] == 0.0
    assert found.percentile[0] == 0.0
    assert found.trend[0] == "stable"


@pytest.mark.parametrize("length", [62, 63, 239, 240])
def test_minimum_lengths(length: int) -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (300, 2))
    window = np.array([40]), np.array([40 + length]), np.array([1])
    found = volatility_statistics(returns, *window)
    assert np.isfinite(found.realized_21d[0]) == (length >= 63)
    assert np.isfinite(found.percentile[0]) == (length >= 240)
    if length >= 63:
        assert_agrees(found, (0,), reference(pd.Series(returns[40 : 40 + length, 1])))


def test_collinear_components_still_give_a_forecast() -> None:
    returns = np.tile([0.01, -0.01], 150)[:, None]
    found = volatility_statistics(returns, np.array([0]), np.array([300]), np.array([0]))
    assert found.expected_21d[0] == pytest.approx(0.01 * YEAR)


def test_an_outlier_leaves_the_rolling_figures_when_it_leaves_their_window() -> None:
    clean = np.random.default_rng(4).normal(0, 0.01, (400, 1))
    dirty = clean.copy()
    dirty[5] = 1e6
    window = np.array([100]), np.array([400]), np.array([0])
    first, second = (volatility_statistics(r, *window) for r in (clean, dirty))
    for name in ("realized_21d", "realized_63d", "weekly", "trend_strength", "percentile"):
        assert getattr(first, name)[0] == getattr(second, name)[0]


def _weights(market: Market) -> np.ndarray:
    weights = np.zeros((len(market.days), 8))
    weights[:, WHOLE] = np.linspace(0.4, 0.6, len(market.days))
    weights[:, HOLES] = 0.5
    weights[:, MORE_HOLES] = -0.3
    weights[:, LISTED_LATE] = 0.2
    weights[:30, CONSTANT] = 0.1
    weights[:, ABSENT] = 0.1
    weights[:, TOO_YOUNG] = np.nan
    return weights


def _portfolio_returns(window: pd.DataFrame, weights: np.ndarray) -> pd.Series:
    """Weighted moves since each symbol's own last price inside the window, symbol by symbol."""
    parts = []
    for column in range(window.shape[1]):
        own = window[column].dropna().pct_change().iloc[1:]
        if len(own) >= 63 and np.isfinite(weights[column]) and weights[column] != 0:
            parts.append(own * weights[column])
    return pd.concat(parts, axis=1).sum(axis=1).sort_index()


def test_portfolio_figures_agree_with_the_references(market: Market) -> None:
    weights = _weights(market)
    found = portfolio_volatility(market.prices, market.dates, market.days, weights)
    for day in range(0, 60, 6):
        window = market.window(market.days[day], 365, market.prices)
        returns = _portfolio_returns(window, weights[day])
        assert found.observations[day] == len(returns)
        assert_agrees(found, (day,), reference(returns))


def test_a_hole_at_the_start_of_the_window_brings_no_move_from_before_it(market: Market) -> None:
    prices = market.prices[:, [WHOLE, HOLES]].copy()
    day = market.days[40]
    first = int(np.searchsorted(market.dates, market.dates[day] - np.timedelta64(365, "D")))
    prices[first : first + 3, 1] = np.nan
    prices[: first - 1, 1] *= 5.0
    weights = np.array([[0.5, 0.5]])
    found = portfolio_volatility(prices, market.dates, np.array([day]), weights)
    window = market.window(day, 365, prices)
    assert_agrees(found, (0,), reference(_portfolio_returns(window, weights[0])))


def test_a_portfolio_of_one_symbol_is_that_symbol(market: Market) -> None:
    weights = np.zeros((len(market.days), 8))
    weights[:, MORE_HOLES] = 1.0
    found = portfolio_volatility(market.prices, market.dates, market.days, weights)
    own = symbol_volatility(market.prices, market.dates, market.days)
    for name in FIGURES:
        np.testing.assert_allclose(
            getattr(found, name), getattr(own, name)[:, MORE_HOLES], atol=1e-8
        )


def test_a_portfolio_without_eligible_symbols_has_no_figures(market: Market) -> None:
    weights = np.zeros((len(market.days), 8))
    weights[:, ABSENT] = 1.0
    found = portfolio_volatility(market.prices, market.dates, market.days, weights)
    assert np.isnan(found.realized_21d).all()
    assert (found.observations == 0).all()
