"""Betas of symbols to the ten style and spread factors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.calculations.arrays import DateArray, FloatArray, IntArray
from app.calculations.factors import (
    FACTOR_NAMES,
    RIDGE_FACTOR_ETFS,
    SPREAD_FACTOR_ETFS,
)
from app.calculations.regression import (
    BETA_CAP,
    FLAT_SIGMA,
    WindowMoments,
    fit_lines,
    moment_blocks,
)
from app.calculations.windows import return_groups

RIDGE_WINDOW_DAYS = 120
"""Calendar days of prices used; stored under the label 90, the rest being the fetch margin."""

SPREAD_WINDOW_DAYS = 210
"""Calendar days of prices used; stored under the label 180."""

RIDGE_MIN_OBSERVATIONS = 30
SPREAD_MIN_OBSERVATIONS = 60
RIDGE_PENALTY = 1.0


@dataclass(frozen=True)
class FactorBetas:
    """Factor betas per evaluated day and symbol.

    values (D, S, 10) in the order of FACTOR_NAMES, NaN where there were too few observations;
    ridge_r_squared (D, S) of the joint ridge regression; spread_r_squared (D, S, 4), one per
    spread; ridge_observations and spread_observations (D, S) count the daily returns in the
    window on the dates that the symbol shares with the factor ETFs.
    """

    values: FloatArray
    ridge_r_squared: FloatArray
    spread_r_squared: FloatArray
    ridge_observations: IntArray
    spread_observations: IntArray


def factor_betas(
    prices: FloatArray,
    dates: DateArray,
    days: IntArray,
    etf_prices: Mapping[str, FloatArray],
) -> FactorBetas:
    """Betas of each symbol's simple daily return to the ten factors, for each evaluated day.

    prices (T, S); etf_prices maps a ticker to its closes (T,), a missing ticker counting as
    without prices. A beta is of the symbol, not of the holder's side: shorts keep its sign.
    Every beta is capped to +-5, and a factor that does not move gets 0.
    """
    shape = (len(days), prices.shape[1])
    split = len(RIDGE_FACTOR_ETFS)
    result = FactorBetas(
        values=np.full((*shape, len(FACTOR_NAMES)), np.nan),
        ridge_r_squared=np.full(shape, np.nan),
        spread_r_squared=np.full((*shape, len(FACTOR_NAMES) - split), np.nan),
        ridge_observations=np.zeros(shape, dtype=np.intp),
        spread_observations=np.zeros(shape, dtype=np.intp),
    )
    style = _etf_columns(etf_prices, list(RIDGE_FACTOR_ETFS.values()), len(dates))
    _fill_ridge(prices, dates, days, style, result)
    _fill_spreads(prices, dates, days, etf_prices, result)
    return result


def _etf_columns(
    etf_prices: Mapping[str, FloatArray], tickers: list[str], sessions: int
) -> FloatArray:
    missing = np.full(sessions, np.nan)
    return np.column_stack([etf_prices.get(ticker, missing) for ticker in tickers])


def _fill_ridge(
    prices: FloatArray,
    dates: DateArray,
    days: IntArray,
    etfs: FloatArray,
    result: FactorBetas,
) -> None:
    split = len(RIDGE_FACTOR_ETFS)
    for group in return_groups(prices, dates, days, RIDGE_WINDOW_DAYS, etfs):
        for block, moments in moment_blocks(group, RIDGE_WINDOW_DAYS):
            beta, r_squared = _ridge(moments)
            enough = (moments.count >= RIDGE_MIN_OBSERVATIONS)[:, None]
            beta = np.where(enough[:, :, None], beta.transpose(0, 2, 1), np.nan)
            result.values[block, group.columns, :split] = beta
            result.ridge_r_squared[block, group.columns] = np.where(enough, r_squared, np.nan)
            result.ridge_observations[block, group.columns] = moments.count[:, None]


def _ridge(moments: WindowMoments) -> tuple[FloatArray, FloatArray]:
    """Joint ridge on standardised factors: betas (D, 6, s) per unit of factor return, R2 (D, s).

    Minimises sum (y - a - Zb)^2 + penalty * sum b^2 with an unpenalised intercept, Z being the
    factor returns at mean 0 and population deviation 1; beta = b / deviation.
    """
    sigma = moments.sigma_x
    scale = np.where(sigma > FLAT_SIGMA, sigma, np.inf)[:, :, None]
    gram = moments.xx / scale / scale.transpose(0, 2, 1)
    weight = moments.xy / scale
    penalty = RIDGE_PENALTY * np.eye(gram.shape[1])
    coefficient = np.linalg.solve(gram + penalty, weight)
    explained = (coefficient * (2.0 * weight - gram @ coefficient)).sum(axis=1)
    r_squared = np.where(moments.flat_y, 0.0, explained / np.where(moments.flat_y, 1, moments.yy))
    return _capped(coefficient / scale), r_squared


def _fill_spreads(
    prices: FloatArray,
    dates: DateArray,
    days: IntArray,
    etf_prices: Mapping[str, FloatArray],
    result: FactorBetas,
) -> None:
    split = len(RIDGE_FACTOR_ETFS)
    tickers = sorted({ticker for pair in SPREAD_FACTOR_ETFS.values() for ticker in pair})
    etfs = _etf_columns(etf_prices, tickers, len(dates))
    for group in return_groups(prices, dates, days, SPREAD_WINDOW_DAYS, etfs):
        spreads = replace(group, reference=_spread_returns(group.reference, tickers))
        for block, moments in moment_blocks(spreads, SPREAD_WINDOW_DAYS):
            fits = fit_lines(moments)
            enough = (moments.count >= SPREAD_MIN_OBSERVATIONS)[:, None, None]
            beta = np.where(enough, _capped(fits.slope).transpose(0, 2, 1), np.nan)
            r_squared = np.nan_to_num(fits.correlation**2).transpose(0, 2, 1)
            result.values[block, group.columns, split:] = beta
            result.spread_r_squared[block, group.columns] = np.where(enough, r_squared, np.nan)
            result.spread_observations[block, group.columns] = moments.count[:, None]


def _spread_returns(etf_returns: FloatArray, tickers: list[str]) -> FloatArray:
    """Long minus short ETF return per spread: (t, tickers) in, (t, 4) out."""
    return np.column_stack(
        [
            etf_returns[:, tickers.index(long)] - etf_returns[:, tickers.index(short)]
            for long, short in SPREAD_FACTOR_ETFS.values()
        ]
    )


def _capped(beta: FloatArray) -> FloatArray:
    return np.clip(np.where(np.isfinite(beta), beta, 0.0), -BETA_CAP, BETA_CAP)
