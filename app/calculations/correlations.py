"""Correlation of the symbols of a portfolio, day by day."""

from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import BoolArray, DateArray, FloatArray, IntArray
from app.calculations.regression import FLAT_SIGMA
from app.calculations.t_distribution import correlation_p_value
from app.calculations.windows import (
    calendar_windows,
    gather_windows,
    has_price,
    return_windows,
    window_rows,
    window_width,
)

CORRELATION_WINDOW_DAYS = 90
MIN_SHARED_RETURNS = 30
MIN_MEAN_CORRELATION = 1e-4
"""Keeps the effective number of positions finite (10,000) for a perfectly hedged set."""


@dataclass(frozen=True)
class CorrelationBlock:
    """Correlations of the days (g) on which the same n symbols are in the matrix.

    days (g,): rows of the evaluated-day axis, ascending; symbols (n,): columns of the price
    matrix. matrix (g, n, n): Pearson correlation of log returns, diagonal 1. significance
    (g, n, n): 1 - two-sided p-value, diagonal 1. data_points (g,): shared returns. overall (g,):
    mean absolute correlation of the pairs, exact zeros left out, 0 without pairs.
    effective_positions (g,): n^2 over the sum of the matrix. excluded (g,): included symbols that
    are not in the matrix.
    """

    days: IntArray
    symbols: IntArray
    matrix: FloatArray
    significance: FloatArray
    data_points: IntArray
    overall: FloatArray
    effective_positions: FloatArray
    excluded: IntArray


def windowed_correlations(
    prices: FloatArray, dates: DateArray, days: IntArray, included: BoolArray
) -> list[CorrelationBlock]:
    """Correlate the included symbols of each day over the 90 calendar days up to it.

    prices (T, S); included (D, S). Log returns are taken on the dates that all symbols of the
    matrix share. While those give fewer than 30 returns, the symbol with the fewest prices in the
    window is left out (of equals the first column); so is a symbol whose price does not move.
    A day on which no symbol is left is in no block; nothing non-finite is returned.
    """
    rows = window_rows(dates, days, CORRELATION_WINDOW_DAYS)
    ends = dates[days]
    prices, dates = prices[rows], dates[rows]
    wanted = included.sum(axis=1)
    pending = _days_by_set(included, np.arange(len(days)))
    blocks: list[CorrelationBlock] = []
    while pending:
        symbols, chosen = pending.pop()
        window = _SharedWindow.of(prices, dates, ends[chosen], symbols)
        keep = window.keep()
        done: BoolArray = np.all(keep, axis=1, keepdims=True)[:, 0]
        if done.any():
            blocks.append(_block(window, done, symbols, chosen[done], wanted[chosen[done]]))
        remaining = np.zeros((len(days), included.shape[1]), dtype=np.bool_)
        remaining[np.ix_(chosen, symbols)] = keep
        pending += _days_by_set(remaining, chosen[~done])
    return sorted(blocks, key=lambda block: int(block.days[0]))


def _days_by_set(included: BoolArray, chosen: IntArray) -> list[tuple[IntArray, IntArray]]:
    """(symbols, days) for each distinct non-empty set of symbols among the chosen days."""
    groups: dict[bytes, list[int]] = {}
    for day in chosen:
        groups.setdefault(included[day].tobytes(), []).append(day)
    sets = [
        (np.flatnonzero(included[members[0]]), np.array(members)) for members in groups.values()
    ]
    return [(symbols, members) for symbols, members in sets if symbols.size]


@dataclass(frozen=True)
class _SharedWindow:
    """Centred log returns of one set of symbols on their shared dates, for each day.

    returns (g, W, n), zero outside the window; count (g,) shared returns; priced (g, n) prices
    of each symbol inside the window, on whatever dates.
    """

    returns: FloatArray
    count: IntArray
    priced: IntArray

    @classmethod
    def of(
        cls, prices: FloatArray, dates: DateArray, ends: DateArray, symbols: IntArray
    ) -> "_SharedWindow":
        prices = prices[:, symbols]
        available = has_price(prices)
        start, stop = calendar_windows(dates, ends, CORRELATION_WINDOW_DAYS)
        seen = np.vstack([np.zeros((1, len(symbols)), np.intp), np.cumsum(available, axis=0)])
        shared = available.all(axis=1)
        returns = np.diff(np.log(prices[shared]), axis=0)
        first, last = return_windows(dates[shared], ends, CORRELATION_WINDOW_DAYS)
        windows = _centred_windows(returns, first, last)
        return cls(windows, last - first, seen[stop] - seen[start])

    def keep(self) -> BoolArray:
        """Which symbols stay (g, n): all, or all but the one (or the flat ones) in the way."""
        short = self.count < MIN_SHARED_RETURNS
        fewest = np.arange(self.priced.shape[1]) == self.priced.argmin(axis=1)[:, None]
        squares = np.einsum("gwn,gwn->gn", self.returns, self.returns)
        moving = squares > self.count[:, None] * FLAT_SIGMA**2
        kept: BoolArray = np.where(short[:, None], ~fewest, moving)
        return kept


def _centred_windows(returns: FloatArray, start: IntArray, stop: IntArray) -> FloatArray:
    """Each window of log returns minus its own mean, zero outside: (g, W, n)."""
    if len(returns) == 0:
        return np.zeros((len(start), 1, returns.shape[1]))
    rows, inside = gather_windows(start, stop, window_width(CORRELATION_WINDOW_DAYS))
    windows = returns[rows] * inside[:, :, None]
    mean = windows.sum(axis=1, keepdims=True) / np.maximum(stop - start, 1)[:, None, None]
    centred: FloatArray = (windows - mean) * inside[:, :, None]
    return centred


def _block(
    window: _SharedWindow, done: BoolArray, symbols: IntArray, days: IntArray, wanted: IntArray
) -> CorrelationBlock:
    returns, count = window.returns[done], window.count[done]
    matrix = _correlation_matrix(returns)
    n = len(symbols)
    upper = np.triu_indices(n, k=1)
    pairs = matrix[:, upper[0], upper[1]]
    significance = np.ones_like(matrix)
    significance[:, upper[0], upper[1]] = 1.0 - correlation_p_value(pairs, count[:, None] - 2)
    significance[:, upper[1], upper[0]] = significance[:, upper[0], upper[1]]
    return CorrelationBlock(
        days=days,
        symbols=symbols,
        matrix=matrix,
        significance=significance,
        data_points=count,
        overall=np.abs(pairs).sum(axis=1) / np.maximum((pairs != 0).sum(axis=1), 1),
        effective_positions=1.0 / np.maximum(matrix.mean(axis=(1, 2)), MIN_MEAN_CORRELATION),
        excluded=wanted - n,
    )


def _correlation_matrix(returns: FloatArray) -> FloatArray:
    """Pearson correlations of centred columns (g, W, n) -> (g, n, n), exactly symmetric."""
    scale = np.sqrt(np.einsum("gwn,gwn->gn", returns, returns))
    scaled = returns / scale[:, None, :]
    product = np.clip(scaled.transpose(0, 2, 1) @ scaled, -1.0, 1.0)
    lower = np.tril(product, k=-1)
    matrix: FloatArray = lower + lower.transpose(0, 2, 1) + np.eye(returns.shape[2])
    return matrix
