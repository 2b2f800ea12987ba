"""Volatility of symbols and of portfolios, day by day."""

from dataclasses import fields

import numpy as np

from app.calculations.arrays import BoolArray, DateArray, FloatArray, IntArray
from app.calculations.price_lookback import last_price_row
from app.calculations.volatility import (
    MIN_RETURNS,
    VolatilityStatistics,
    empty_statistics,
    volatility_statistics,
)
from app.calculations.windows import (
    availability_groups,
    calendar_windows,
    has_price,
    return_groups,
    window_rows,
)

VOLATILITY_WINDOW_DAYS = 365


def symbol_volatility(prices: FloatArray, dates: DateArray, days: IntArray) -> VolatilityStatistics:
    """Statistics (D, S) of each symbol's returns in the 365 calendar days up to each day.

    prices (T, S). A symbol is differenced on its own dates: a hole drops out and the next return
    spans it. "Last" figures are those of its last price in the window.
    """
    result = empty_statistics((len(days), prices.shape[1]))
    for group in return_groups(prices, dates, days, VOLATILITY_WINDOW_DAYS):
        shape = (len(days), len(group.columns))
        start, stop, column = (
            np.broadcast_to(values, shape).ravel()
            for values in (
                group.start[:, None],
                group.stop[:, None],
                np.arange(len(group.columns))[None, :],
            )
        )
        found = volatility_statistics(group.returns, start, stop, column)
        for field in fields(result):
            values = getattr(found, field.name).reshape(shape)
            getattr(result, field.name)[:, group.columns] = values
    return result


def portfolio_volatility(
    prices: FloatArray, dates: DateArray, days: IntArray, weights: FloatArray
) -> VolatilityStatistics:
    """Statistics (D,) of a portfolio's returns, had it always held the weights of each day.

    weights (D, S): signed share of each symbol in the portfolio on each day. The return of a
    past day is the weighted sum of the symbols' returns. A symbol without a price contributes
    nothing on that day and its whole move on the next day with a price; one with fewer than 63
    returns of its own in the window is left out.
    """
    result = empty_statistics((len(days),))
    rows = window_rows(dates, days, VOLATILITY_WINDOW_DAYS)
    ends = dates[days]
    held = np.flatnonzero(np.any(weights != 0, axis=0))
    prices, dates, weights = prices[rows, held], dates[rows], weights[:, held]
    weights = _counted_weights(prices, dates, ends, weights)
    for columns, chosen in availability_groups((weights != 0).T):
        if columns.size == 0:
            continue
        found = _portfolio_group(
            prices[:, columns], dates, ends[chosen], weights[np.ix_(chosen, columns)]
        )
        for field in fields(result):
            getattr(result, field.name)[chosen] = getattr(found, field.name)
    return result


def _counted_weights(
    prices: FloatArray, dates: DateArray, ends: DateArray, weights: FloatArray
) -> FloatArray:
    """The weights (D, S), 0 for symbols with too few returns in the window of that day."""
    start, stop = calendar_windows(dates, ends, VOLATILITY_WINDOW_DAYS)
    seen = np.zeros((len(dates) + 1, prices.shape[1]), dtype=np.intp)
    np.cumsum(has_price(prices), axis=0, out=seen[1:])
    enough = seen[stop] - seen[start] - 1 >= MIN_RETURNS
    return np.where(enough & np.isfinite(weights), weights, 0.0)


def _portfolio_group(
    prices: FloatArray, dates: DateArray, ends: DateArray, weights: FloatArray
) -> VolatilityStatistics:
    """Days that count the same symbols: prices (T, s), weights (D, s) -> statistics (D,)."""
    traded = np.flatnonzero(has_price(prices).any(axis=1))
    prices, dates = prices[traded], dates[traded]
    start, stop = calendar_windows(dates, ends, VOLATILITY_WINDOW_DAYS)
    available = has_price(prices)
    moves = _moves(prices, available)
    series = weights @ moves.T
    _drop_straddling_moves(series, start, weights, moves, available)
    return volatility_statistics(series.T, start + 1, stop, np.arange(len(ends)))


def _moves(prices: FloatArray, available: BoolArray) -> FloatArray:
    """Return since the symbol's own last price, on the row where it next has one, else 0."""
    row = last_price_row(prices)
    before = np.maximum(np.vstack([row[:1], row[:-1]]), 0)
    known = np.take_along_axis(available, before, axis=0) & available
    previous = np.where(known, np.take_along_axis(prices, before, axis=0), 1.0)
    return np.where(known, prices / previous - 1.0, 0.0)


def _drop_straddling_moves(
    series: FloatArray,
    start: IntArray,
    weights: FloatArray,
    moves: FloatArray,
    available: BoolArray,
) -> None:
    """Take out moves whose earlier price lies before the window: a hole at its beginning."""
    sessions = len(available)
    rows = np.where(available, np.arange(sessions)[:, None], sessions - 1)
    following = np.minimum.accumulate(rows[::-1], axis=0)[::-1]
    first = following[start]
    day, symbol = np.nonzero(first > start[:, None])
    row = first[day, symbol]
    np.subtract.at(series, (day, row), weights[day, symbol] * moves[row, symbol])
