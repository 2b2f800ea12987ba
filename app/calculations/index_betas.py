"""Betas of symbols to one index: SPY for the market beta, TLT for the interest-rate beta."""

from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import DateArray, FloatArray, IntArray
from app.calculations.regression import BETA_CAP, LineFits, fit_lines, moment_blocks
from app.calculations.t_distribution import correlation_p_value
from app.calculations.windows import return_groups

INDEX_WINDOW_DAYS = 120
"""Calendar days of prices used; stored under the label 90, the rest being the fetch margin."""

INDEX_MIN_OBSERVATIONS = 30


@dataclass(frozen=True)
class IndexBetas:
    """Regression of each symbol's daily return on the index return; every array is (D, S).

    beta is capped to +-5; alpha (per day), r_squared, std_error and p_value of the slope are
    those of the uncapped line. All are NaN where a window has fewer than 30 shared returns or
    the index does not move; observations counts the shared returns in any case.
    """

    beta: FloatArray
    alpha: FloatArray
    r_squared: FloatArray
    std_error: FloatArray
    p_value: FloatArray
    observations: IntArray


def index_betas(
    prices: FloatArray, dates: DateArray, days: IntArray, index_prices: FloatArray
) -> IndexBetas:
    """Ordinary least squares with intercept on the dates that symbol and index share.

    prices (T, S), index_prices (T,). The p-value is two-sided with n - 2 degrees of freedom.
    """
    shape = (len(days), prices.shape[1])
    beta, alpha, r_squared, std_error, p_value = np.full((5, *shape), np.nan)
    observations = np.zeros(shape, dtype=np.intp)
    result = IndexBetas(beta, alpha, r_squared, std_error, p_value, observations)
    for group in return_groups(prices, dates, days, INDEX_WINDOW_DAYS, index_prices[:, None]):
        for block, moments in moment_blocks(group, INDEX_WINDOW_DAYS):
            result.observations[block, group.columns] = moments.count[:, None]
            _store(result, (block, group.columns), fit_lines(moments), moments.count)
    return result


def _store(
    result: IndexBetas, where: tuple[slice, IntArray], fits: LineFits, count: IntArray
) -> None:
    enough = (count >= INDEX_MIN_OBSERVATIONS)[:, None]
    correlation = fits.correlation[:, 0]
    columns = (
        (result.beta, np.clip(fits.slope[:, 0], -BETA_CAP, BETA_CAP)),
        (result.alpha, fits.intercept[:, 0]),
        (result.r_squared, correlation**2),
        (result.std_error, fits.standard_error[:, 0]),
        (result.p_value, correlation_p_value(correlation, count[:, None] - 2)),
    )
    for target, values in columns:
        target[where] = np.where(enough, values, np.nan)
