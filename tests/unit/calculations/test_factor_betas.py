from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from app.calculations.factor_betas import FactorBetas, factor_betas
from app.calculations.factors import (
    FACTOR_NAMES,
    RIDGE_FACTOR_ETFS,
    SPREAD_FACTOR_ETFS,
)
from tests.unit.calculations.conftest import (
    ABSENT,
    CONSTANT,
    HOLES,
    LISTED_LATE,
    TOO_YOUNG,
    WHOLE,
    Market,
)

SPREAD_TICKERS = sorted({t for pair in SPREAD_FACTOR_ETFS.values() for t in pair})
SAMPLED_DAYS = (0, 13, 29, 44, 59)


@pytest.fixture(scope="module")
def betas(market: Market) -> FactorBetas:
    return factor_betas(market.prices, market.dates, market.days, market.etfs)


def _returns(market: Market, day: int, length: int, column: int, tickers: list[str]) -> np.ndarray:
    etfs = [market.etfs[ticker] for ticker in tickers]
    frame = market.window(market.days[day], length, market.prices[:, column], *etfs)
    return frame.dropna().pct_change().iloc[1:].to_numpy()


@pytest.mark.parametrize("day", SAMPLED_DAYS)
def test_ridge_agrees_with_scikit_learn(market: Market, betas: FactorBetas, day: int) -> None:
    compared = 0
    for column in range(8):
        rows = _returns(market, day, 120, column, list(RIDGE_FACTOR_ETFS.values()))
        assert betas.ridge_observations[day, column] == len(rows)
        if len(rows) < 30:
            assert np.isnan(betas.values[day, column, :6]).all()
            assert np.isnan(betas.ridge_r_squared[day, column])
            continue
        scaler = StandardScaler().fit(rows[:, 1:])
        design = scaler.transform(rows[:, 1:])
        model = Ridge(alpha=1.0).fit(design, rows[:, 0])
        expected = np.clip(model.coef_ / scaler.scale_, -5, 5)
        np.testing.assert_allclose(betas.values[day, column, :6], expected, atol=1e-10)
        if column != CONSTANT:
            score = model.score(design, rows[:, 0])
            assert betas.ridge_r_squared[day, column] == pytest.approx(score, abs=1e-10)
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("day", SAMPLED_DAYS)
def test_spreads_agree_with_scipy(market: Market, betas: FactorBetas, day: int) -> None:
    compared = 0
    for column in range(8):
        rows = pd.DataFrame(
            _returns(market, day, 210, column, SPREAD_TICKERS), columns=["y", *SPREAD_TICKERS]
        )
        assert betas.spread_observations[day, column] == len(rows)
        if len(rows) < 60:
            assert np.isnan(betas.values[day, column, 6:]).all()
        if len(rows) < 60 or column == CONSTANT:
            continue
        for at, (long, short) in enumerate(SPREAD_FACTOR_ETFS.values()):
            fit = stats.linregress(rows[long] - rows[short], rows["y"])
            beta = betas.values[day, column, 6 + at]
            assert beta == pytest.approx(np.clip(fit.slope, -5, 5), abs=1e-10)
            r_squared = betas.spread_r_squared[day, column, at]
            assert r_squared == pytest.approx(fit.rvalue**2, abs=1e-10)
        compared += 1
    assert compared >= 3


def test_the_factor_axis_has_the_ten_names() -> None:
    assert FACTOR_NAMES == (
        "Value",
        "Growth",
        "Momentum",
        "Quality",
        "Size",
        "Low Volatility",
        "Growth-Value Spread",
        "Momentum Spread",
        "Size Spread",
        "Quality Spread",
    )


def test_short_history_fails_each_method_by_its_own_minimum(betas: FactorBetas) -> None:
    first_day, last_day = betas.values[0], betas.values[-1]
    assert np.isnan(betas.values[:, [ABSENT, TOO_YOUNG]]).all()
    assert np.isnan(first_day[LISTED_LATE]).all()
    assert np.isfinite(last_day[LISTED_LATE]).all()
    early = betas.ridge_observations[:, LISTED_LATE]
    only_ridge = (early >= 30) & (betas.spread_observations[:, LISTED_LATE] < 60)
    assert only_ridge.any()
    assert np.isfinite(betas.values[only_ridge, LISTED_LATE, :6]).all()
    assert np.isnan(betas.values[only_ridge, LISTED_LATE, 6:]).all()


def test_a_symbol_that_never_moves_has_no_exposure(betas: FactorBetas) -> None:
    assert (betas.values[:, CONSTANT] == 0).all()
    assert (betas.ridge_r_squared[:, CONSTANT] == 0).all()


def test_a_factor_that_never_moves_gets_zero(market: Market) -> None:
    flat = {**market.etfs, "MTUM": np.full(len(market.dates), 50.0)}
    found = factor_betas(market.prices, market.dates, market.days, flat)
    assert (found.values[:, WHOLE, FACTOR_NAMES.index("Momentum")] == 0).all()
    assert np.isfinite(found.values[:, WHOLE]).all()
    still = {**market.etfs, "VUG": market.etfs["SPY"], "VTV": market.etfs["SPY"]}
    found = factor_betas(market.prices, market.dates, market.days, still)
    assert (found.values[:, WHOLE, FACTOR_NAMES.index("Growth-Value Spread")] == 0).all()


def test_betas_are_capped(market: Market) -> None:
    etfs = {k: 100 * (v / 100) ** 0.02 for k, v in market.etfs.items()}
    found = factor_betas(market.prices, market.dates, market.days, etfs)
    assert np.nanmax(np.abs(found.values)) == 5.0


def test_without_an_etf_the_factors_that_need_it_fail(market: Market) -> None:
    etfs = {k: v for k, v in market.etfs.items() if k != "USMV"}
    found = factor_betas(market.prices, market.dates, market.days, etfs)
    assert np.isnan(found.values[:, :, :6]).all()
    assert np.isfinite(found.values[:, WHOLE, 6:]).all()


def test_a_days_result_does_not_depend_on_the_other_days(market: Market) -> None:
    every = factor_betas(market.prices, market.dates, market.days, market.etfs)
    for day in (0, 30, 59):
        alone = factor_betas(market.prices, market.dates, market.days[[day]], market.etfs)
        np.testing.assert_allclose(alone.values[0], every.values[day], rtol=1e-12, atol=1e-14)


def test_garbage_before_the_window_leaves_no_trace(market: Market, betas: FactorBetas) -> None:
    prices = market.prices.copy()
    prices[100, WHOLE] = 1e8
    prices[101, WHOLE] = 1e-4
    dirty = replace(market, prices=prices)
    found = factor_betas(dirty.prices, dirty.dates, dirty.days, dirty.etfs)
    np.testing.assert_array_equal(found.values[:, HOLES], betas.values[:, HOLES])
    np.testing.assert_array_equal(found.values[:, WHOLE], betas.values[:, WHOLE])
