"""Stress tests: what a shock to factors does to a portfolio."""

from collections.abc import Mapping

import numpy as np

from app.calculations.arrays import DateArray, FloatArray, IntArray
from app.calculations.factors import STRESS_FACTOR_ETFS, STRESS_FACTOR_NAMES
from app.calculations.regression import FLAT_SIGMA
from app.calculations.windows import gather_windows, return_groups, window_width

STRESS_WINDOW_DAYS = 252 + 30
MIN_STRESS_RETURNS = 30
DECAY = 0.94
CORRELATION_CLIP = 0.95
LOSS_FLOOR = 0.99

TLT_EFFECTIVE_DURATION_YEARS = 16.0
"""What TLT loses, in percent, when long rates rise by one percentage point."""


def factor_correlations(
    dates: DateArray, days: IntArray, etf_prices: Mapping[str, FloatArray]
) -> FloatArray:
    """Correlation of the eight stress factors' ETFs as of each day (D, 8, 8).

    Simple returns on the dates that all eight share within 282 calendar days, a return n
    sessions old weighing 0.94^n; off the diagonal clipped to +-0.95. An ETF that does not move
    correlates with nothing. NaN for days with fewer than 30 returns. Order: STRESS_FACTOR_NAMES.
    """
    size = len(STRESS_FACTOR_NAMES)
    result = np.full((len(days), size, size), np.nan)
    missing = np.full(len(dates), np.nan)
    etfs = np.column_stack([etf_prices.get(e, missing) for e in STRESS_FACTOR_ETFS.values()])
    for group in return_groups(etfs, dates, days, STRESS_WINDOW_DAYS, etfs):
        # With themselves as reference all columns share their dates: there is one group at most.
        matrix = _weighted_correlation(group.returns, group.start, group.stop)
        enough = group.stop - group.start >= MIN_STRESS_RETURNS
        result[enough] = matrix[enough]
    return result


def _weighted_correlation(returns: FloatArray, start: IntArray, stop: IntArray) -> FloatArray:
    rows, inside = gather_windows(start, stop, window_width(STRESS_WINDOW_DAYS))
    width = rows.shape[1]
    weight = inside * DECAY ** np.arange(width - 1, -1, -1)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), DECAY**width)
    windows = returns[rows]
    centred = windows - (weight[:, None, :] @ windows)
    covariance = (centred * weight[:, :, None]).transpose(0, 2, 1) @ centred
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    sigma = np.where(sigma > FLAT_SIGMA, sigma, np.inf)
    matrix = covariance / sigma[:, :, None] / sigma[:, None, :]
    matrix = np.clip(matrix, -CORRELATION_CLIP, CORRELATION_CLIP)
    diagonal = np.eye(returns.shape[1], dtype=np.bool_)
    return np.where(diagonal, 1.0, matrix)


def shocked_returns(shocks: FloatArray) -> FloatArray:
    """Scenario shocks (N, 8) as returns of the factors' ETFs.

    The interest-rate shock, in the last column, is a change of the rate (0.01 = 100 basis
    points), while that exposure is a beta to TLT's return: return = -duration x change.
    """
    returns = np.array(shocks, dtype=np.float64)
    returns[:, -1] *= -TLT_EFFECTIVE_DURATION_YEARS
    return returns


def stress_results(
    exposure_dollar: FloatArray,
    shocks: FloatArray,
    correlation: FloatArray,
    net_exposure: FloatArray,
    gross_exposure: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Profit or loss in dollars under each scenario: (direct, correlated), each (D, N).

    exposure_dollar (D, 8) in the order of STRESS_FACTOR_NAMES, NaN counting as no exposure;
    shocks (N, 8) as scenarios state them; correlation (D, 8, 8); net_exposure and gross_exposure
    (D,). direct = sum of exposure x shock. correlated lets every shock move all eight factors by
    their correlation with the shocked one. Losses end at 99% of the net exposure, or of the
    gross exposure for books that are not net long.
    """
    dollars = np.nan_to_num(exposure_dollar)
    returns = shocked_returns(shocks)
    direct = dollars @ returns.T
    spread = np.einsum("dg,dgf->df", dollars, correlation)
    correlated = spread @ returns.T
    at_risk = np.where(net_exposure > 0, net_exposure, gross_exposure)
    floor = -LOSS_FLOOR * at_risk[:, None]
    return np.maximum(direct, floor), np.maximum(correlated, floor)
