"""Price returns of symbols over the usual horizons, as of one day."""

from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import BoolArray, DateArray, FloatArray
from app.calculations.windows import has_price

REFERENCE_MAX_AGE_DAYS = 10
"""A reference close may be this many calendar days older than the date it stands for."""


@dataclass(frozen=True)
class SymbolMetrics:
    """Per symbol (S,): the close of the day and simple price returns up to it, NaN if unknown.

    return_1d is against the session with a price before; mtd and ytd against the last close of
    the month and year before; 1m, 3m and 1y against the last close 30, 90 and 365 days ago.
    """

    current_price: FloatArray
    return_1d: FloatArray
    return_mtd: FloatArray
    return_ytd: FloatArray
    return_1m: FloatArray
    return_3m: FloatArray
    return_1y: FloatArray


def symbol_metrics(prices: FloatArray, dates: DateArray, day: int) -> SymbolMetrics:
    """Metrics as of row `day` of prices (T, S); a symbol without a close on it has none.

    Each reference is the last close on or before its date, at most ten calendar days older.
    """
    today = dates[day]
    current = np.where(has_price(prices[day]), prices[day], np.nan)
    one_day = np.timedelta64(1, "D")
    references = (
        today - one_day,
        today.astype("datetime64[M]").astype("datetime64[D]") - one_day,
        today.astype("datetime64[Y]").astype("datetime64[D]") - one_day,
        today - np.timedelta64(30, "D"),
        today - np.timedelta64(90, "D"),
        today - np.timedelta64(365, "D"),
    )
    returns = (current / _close_as_of(prices, dates, reference) - 1.0 for reference in references)
    return SymbolMetrics(current, *returns)


def _close_as_of(prices: FloatArray, dates: DateArray, reference: np.datetime64) -> FloatArray:
    """Last close on or before the reference date (S,), NaN if it is too old."""
    oldest = reference - np.timedelta64(REFERENCE_MAX_AGE_DAYS, "D")
    start = np.searchsorted(dates, oldest, side="left")
    recent = prices[start : np.searchsorted(dates, reference, side="right")][::-1]
    if len(recent) == 0:
        return np.full(prices.shape[1], np.nan)
    usable = has_price(recent)
    first = usable.argmax(axis=0)[None, :]
    close = np.take_along_axis(recent, first, axis=0)[0]
    return np.where(usable.any(axis=0), close, np.nan)


def data_quality_score(
    metrics: SymbolMetrics, has_profile: BoolArray, has_factors: BoolArray
) -> FloatArray:
    """Completeness from 0 to 100 (S,): price 30, one-day return 30, profile 20, factors 20."""
    price = np.isfinite(metrics.current_price)
    one_day = np.isfinite(metrics.return_1d)
    score: FloatArray = 30.0 * price + 30.0 * one_day + 20.0 * has_profile + 20.0 * has_factors
    return score
