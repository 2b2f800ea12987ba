"""Calendar windows over a price axis with holes.

A window of w days that ends on day d holds the prices dated d - w to d, both included; a return
belongs to it when both of its prices do. Symbols are differenced on their own dates: a missing
price drops the date, so the next return spans the hole. Symbols that share the same holes are
worked on together; usually nearly all of them do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import BoolArray, DateArray, FloatArray, IntArray

ELEMENTS_PER_BLOCK = 250_000
"""Gathered elements per block: 2 MB, so that a block stays in the processor's cache."""


@dataclass(frozen=True)
class ReturnGroup:
    """Simple returns of the symbols that share one set of dates.

    columns (s,): positions of the symbols in the price matrix. returns (t, s) and reference
    (t, k): returns between neighbouring shared dates. start, stop (D,): half-open bounds of the
    rows of `returns` that lie inside the window of each evaluated day.
    """

    columns: IntArray
    returns: FloatArray
    reference: FloatArray
    start: IntArray
    stop: IntArray


def has_price(prices: FloatArray) -> BoolArray:
    """Where a usable close stands: finite and above zero."""
    return np.isfinite(prices) & (prices > 0)


def calendar_windows(
    dates: DateArray, ends: DateArray, window_days: int
) -> tuple[IntArray, IntArray]:
    """Half-open row bounds (start, stop), each (D,), of the dates in [end - window_days, end]."""
    start = np.searchsorted(dates, ends - np.timedelta64(window_days, "D"), side="left")
    return start, np.searchsorted(dates, ends, side="right")


def return_windows(
    dates: DateArray, ends: DateArray, window_days: int
) -> tuple[IntArray, IntArray]:
    """Half-open bounds (start, stop), each (D,), of the returns between neighbouring `dates` that
    lie inside each window. A window that lies after the last date, as of a symbol that is no
    longer listed, or before the second is empty, and its bounds are those of a return too."""
    start, stop = calendar_windows(dates, ends, window_days)
    stop = np.maximum(stop - 1, 0)
    return np.minimum(start, stop), stop


def window_rows(dates: DateArray, days: IntArray, window_days: int) -> slice:
    """The rows that any window of the evaluated days can touch."""
    if days.size == 0:
        return slice(0, 0)
    start, stop = calendar_windows(dates, dates[days], window_days)
    return slice(int(start.min()), int(stop.max()))


def availability_groups(available: BoolArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield (rows, columns) for each distinct pattern of available rows; (T, S) in."""
    packed = np.ascontiguousarray(np.packbits(available, axis=0).T)
    _, first, group = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for number, column in enumerate(first):
        yield np.flatnonzero(available[:, column]), np.flatnonzero(group.ravel() == number)


def return_groups(
    prices: FloatArray,
    dates: DateArray,
    days: IntArray,
    window_days: int,
    reference: FloatArray | None = None,
) -> Iterator[ReturnGroup]:
    """Difference every symbol on its own dates, or on those it shares with all of `reference`.

    prices (T, S); reference (T, k) holds the columns that each symbol is compared with. Symbols
    without two usable prices are not yielded.
    """
    rows = window_rows(dates, days, window_days)
    ends = dates[days]
    prices, dates = prices[rows], dates[rows]
    shared = np.empty((len(dates), 0)) if reference is None else reference[rows]
    complete = np.all(has_price(shared), axis=1, keepdims=True)
    available = has_price(prices) & complete
    for kept, columns in availability_groups(available):
        if len(kept) < 2:
            continue
        start, stop = return_windows(dates[kept], ends, window_days)
        yield ReturnGroup(
            columns=columns,
            returns=simple_returns(prices[np.ix_(kept, columns)]),
            reference=simple_returns(shared[kept]),
            start=start,
            stop=stop,
        )


def simple_returns(prices: FloatArray) -> FloatArray:
    """Row i is the return from price row i to price row i + 1; (t, s) in, (t - 1, s) out."""
    with np.errstate(over="ignore"):
        return prices[1:] / prices[:-1] - 1.0


def window_width(window_days: int) -> int:
    """An upper bound of the trading days in a window, the same for every day of every run.

    A fixed width makes each window's sums independent of which other days are evaluated.
    """
    return (window_days + 1) * 5 // 7 + 2


def gather_windows(start: IntArray, stop: IntArray, width: int) -> tuple[IntArray, BoolArray]:
    """Rows of each window, right-aligned: (rows (D, W), inside (D, W)).

    Rows outside a window point at row 0 or later and are marked False in `inside`.
    """
    width = max(width, int((stop - start).max(initial=0)))
    rows = stop[:, None] - width + np.arange(width)
    return np.maximum(rows, 0), rows >= start[:, None]


def day_blocks(days: int, elements_per_day: int) -> Iterator[slice]:
    """Cut the day axis so that one block of windows has about ELEMENTS_PER_BLOCK elements."""
    step = max(1, ELEMENTS_PER_BLOCK // max(1, elements_per_day))
    for begin in range(0, days, step):
        yield slice(begin, min(begin + step, days))
