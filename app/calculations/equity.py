"""Equity rollforward: what each day adds to a portfolio's equity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from app.calculations.arrays import DateArray, FloatArray, IntArray
from app.calculations.price_lookback import last_price_row
from app.calculations.rounding import round_half_away
from app.calculations.windows import has_price

PRIOR_CLOSE_MAX_AGE_DAYS = 10
MONEY_DECIMALS = 2
RETURN_DECIMALS = 6


@dataclass(frozen=True)
class PositionHistory:
    """What a portfolio held over D evaluated days, one column per position (P).

    column (P,): the symbol's column in the price matrix, -1 for assets that have no market
    price (private ones). entry_date (P,) datetime64[D]; entry_price (P,) per unit; multiplier
    (P,): 100 for options, else 1. quantity (D, P): signed units held at the close of each day,
    0 before entry and after exit. closed_quantity (D, P): signed units given up on that day.
    """

    column: IntArray
    entry_date: DateArray
    entry_price: FloatArray
    multiplier: FloatArray
    quantity: FloatArray
    closed_quantity: FloatArray


def unrealized_change(
    prices: FloatArray,
    dates: DateArray,
    days: IntArray,
    positions: PositionHistory,
    first_snapshot: int | None = None,
) -> FloatArray:
    """Dollars that each position's unrealized gain adds to equity per day (D, P).

    Units held earn the move since the last close in the ten calendar days before, and since the
    entry price on the first day with a price after entry. Without a price on the day the change
    is 0, so the next close brings the whole move. Units closed give back the gain that was
    rolled into equity so far (last close before the day minus entry price), because the realized
    event books the whole exit minus entry; without that the gain would count twice.

    first_snapshot: row of the day axis on which the portfolio gets its first snapshot; its
    starting capital is the equity of that day, so nothing changes on it. None: it had one before.
    """
    if len(dates) == 0:
        return np.zeros(positions.quantity.shape)
    prices = _own_prices(prices, positions.column)
    mark, mark_row = _marks_before(prices, days)
    rolled = mark_row >= np.searchsorted(dates, positions.entry_date)[None, :]
    age = dates[days][:, None] - dates[mark_row]
    recent = np.where(age <= np.timedelta64(PRIOR_CLOSE_MAX_AGE_DAYS, "D"), mark, np.nan)
    base = np.where(rolled, recent, positions.entry_price)
    earned = np.nan_to_num(prices[days] - base) * positions.quantity
    returned = np.where(rolled, mark - positions.entry_price, 0.0) * positions.closed_quantity
    change: FloatArray = (earned - np.nan_to_num(returned)) * positions.multiplier
    if first_snapshot is not None:
        change[first_snapshot] = 0.0
    return change


def _own_prices(prices: FloatArray, column: IntArray) -> FloatArray:
    """Usable closes of each position's symbol (T, P), NaN elsewhere and for column -1."""
    padded = np.column_stack([prices[:, column[column >= 0]], np.full(len(prices), np.nan)])
    own = padded[:, np.where(column >= 0, np.cumsum(column >= 0) - 1, -1)]
    return np.where(has_price(own), own, np.nan)


def _marks_before(prices: FloatArray, days: IntArray) -> tuple[FloatArray, IntArray]:
    """Last close strictly before each day, NaN when there is none, and its row (-1): (D, P)."""
    row = last_price_row(prices)[np.maximum(days - 1, 0)]
    row = np.where(days[:, None] > 0, row, -1)
    mark = np.take_along_axis(prices, np.maximum(row, 0), axis=0)
    return np.where(row >= 0, mark, np.nan), row


@dataclass(frozen=True)
class EquityState:
    """Where a rollforward starts: stored figures of the day before, scalars or one per portfolio.

    Without an earlier day equity is the starting capital and the cumulative figures are 0.
    """

    equity: ArrayLike
    cumulative_pnl: ArrayLike = 0.0
    cumulative_realized_pnl: ArrayLike = 0.0
    cumulative_capital_flow: ArrayLike = 0.0


@dataclass(frozen=True)
class EquityHistory:
    """Stored figures per day (D, ...): dollars to 2 decimals, daily_return to 6."""

    equity: FloatArray
    daily_pnl: FloatArray
    daily_return: FloatArray
    cumulative_pnl: FloatArray
    daily_realized_pnl: FloatArray
    cumulative_realized_pnl: FloatArray
    daily_capital_flow: FloatArray
    cumulative_capital_flow: FloatArray


def roll_equity(
    start: EquityState, unrealized: FloatArray, realized: FloatArray, flow: FloatArray
) -> EquityHistory:
    """Roll equity forward: E_d = E_prev + unrealized + realized + flow.

    unrealized, realized, flow are dollars per day: (D,) for one portfolio or (D, N) for several,
    with `start` to match. Every day starts from the rounded, stored equity of the day before, so
    a run that resumes on any day gives what one run over all days gives. The daily profit is
    unrealized + realized; its return is on the equity of the day before, 0 when that is not
    positive.
    """
    pnl = round_half_away(unrealized + realized, MONEY_DECIMALS)
    before, equity = _roll(start.equity, unrealized + realized + flow)
    earning = before > 0
    daily_return = np.where(earning, pnl / np.where(earning, before, 1.0), 0.0)
    realized_stored = round_half_away(realized, MONEY_DECIMALS)
    flow_stored = round_half_away(flow, MONEY_DECIMALS)
    return EquityHistory(
        equity=equity,
        daily_pnl=pnl,
        daily_return=round_half_away(daily_return, RETURN_DECIMALS),
        cumulative_pnl=_running_total(start.cumulative_pnl, pnl),
        daily_realized_pnl=realized_stored,
        cumulative_realized_pnl=_running_total(start.cumulative_realized_pnl, realized_stored),
        daily_capital_flow=flow_stored,
        cumulative_capital_flow=_running_total(start.cumulative_capital_flow, flow_stored),
    )


def _roll(start: ArrayLike, changes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Add the changes one after the other, rounding each sum: (value before, value after)."""
    values = np.empty((len(changes) + 1, *changes.shape[1:]))
    values[0] = round_half_away(start, MONEY_DECIMALS)
    for row, change in enumerate(changes):
        values[row + 1] = round_half_away(values[row] + change, MONEY_DECIMALS)
    return values[:-1], values[1:]


def _running_total(start: ArrayLike, cents: FloatArray) -> FloatArray:
    """Totals of amounts that are rounded already, so that only float error is rounded away."""
    return round_half_away(np.asarray(start) + np.cumsum(cents, axis=0), MONEY_DECIMALS)
