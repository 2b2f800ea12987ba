"""The last known close, limited by its age in calendar days."""

import numpy as np

from app.calculations.arrays import DateArray, FloatArray, IntArray
from app.calculations.windows import has_price


def last_price(prices: FloatArray, dates: DateArray, max_age_days: int | None) -> FloatArray:
    """The last close on or before each session (T, S); NaN where it is older than the limit.

    max_age_days counts calendar days between the close and the session; None sets no limit.
    """
    row = last_price_row(prices)
    found = row >= 0
    row = np.maximum(row, 0)
    if max_age_days is not None:
        age = dates[:, None] - dates[row] if len(dates) else np.empty(row.shape, "m8[D]")
        found &= age <= np.timedelta64(max_age_days, "D")
    return np.where(found, np.take_along_axis(prices, row, axis=0), np.nan)


def last_price_row(prices: FloatArray) -> IntArray:
    """Row of the last close on or before each session (T, S); -1 where there is none yet."""
    rows = np.arange(len(prices), dtype=np.intp)[:, None]
    return np.maximum.accumulate(np.where(has_price(prices), rows, -1), axis=0)
