"""What a portfolio holds on each day, and what it is worth: days x positions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.calculations.equity import PositionHistory
from ops.backfill.inputs import PortfolioInputs, Positions
from ops.backfill.prices import PriceMatrix

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Holdings:
    """D days x P positions.

    Attributes:
        open: a position counts from its entry to the day of its exit, deletion or expiration.
        column: (P,) column of the price matrix; -1 for private assets and unpriced symbols.
        value: signed market value; NaN where an open position has no value (a listed one without
            any price), 0 where it is not open.
        realized: (D,) booked gains.
        flow: (D,) contributions less withdrawals.
    """

    open: NDArray[np.bool_]
    column: NDArray[np.intp]
    value: Floats
    history: PositionHistory
    realized: Floats
    flow: Floats

    @property
    def known_value(self) -> Floats:
        """Values with 0 for what has none."""
        return np.nan_to_num(self.value)


def hold(inputs: PortfolioInputs, prices: PriceMatrix, mark: Floats) -> Holdings:
    """Lay a portfolio's positions out over its days.

    Args:
        mark: (D, S) last close on or before each day of the portfolio.
    """
    positions, days = inputs.positions, np.array(inputs.span.days, "datetime64[D]")
    is_open = (days[:, None] >= positions.entry) & (days[:, None] <= positions.last_open)
    column = np.array(
        [
            -1 if kind == "PRIVATE" else prices.column(symbol)
            for symbol, kind in zip(positions.symbols, positions.classes, strict=True)
        ],
        np.intp,
    )
    held, closed, realized = _lots(inputs, days, is_open)
    unit = _unit_values(positions, column, mark)
    value = np.where(is_open, held * unit * positions.multiplier, 0.0)
    history = PositionHistory(
        column=column,
        entry_date=positions.entry,
        entry_price=positions.entry_price,
        multiplier=positions.multiplier,
        quantity=np.where(is_open, held, 0.0) - _closed_on_the_day(closed, positions, days),
        closed_quantity=closed,
    )
    flow = np.array([inputs.flows.get(day, 0.0) for day in inputs.span.days])
    return Holdings(is_open, column, value, history, realized, flow)


def _lots(
    inputs: PortfolioInputs, days: NDArray[np.datetime64], is_open: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Units held during each day (D, P), units given up on it (D, P), gains booked (D,).

    The stored quantity is what is left; lots sold later were still held before. An exit that
    nothing was booked for is booked at its exit price.
    """
    positions = inputs.positions
    held = np.where(is_open, positions.quantity, 0.0)
    closed = np.zeros(held.shape)
    realized = np.zeros(len(days))
    for lot in inputs.closings:
        on_day = days == np.datetime64(lot.day)
        realized[on_day] += lot.realized
        closed[on_day, lot.position] += lot.quantity
        if positions.exited[lot.position] != np.datetime64(lot.day):
            held[days <= np.datetime64(lot.day), lot.position] += lot.quantity
    unbooked = (days[:, None] == positions.exited) & (closed == 0) & ~np.isnan(positions.exit_price)
    gain = (positions.exit_price - positions.entry_price) * positions.quantity
    realized += np.where(unbooked, gain * positions.multiplier, 0.0).sum(axis=1)
    closed = np.where(unbooked, positions.quantity, closed)
    return np.where(is_open, held, 0.0), closed, realized


def _closed_on_the_day(
    closed: Floats, positions: Positions, days: NDArray[np.datetime64]
) -> Floats:
    """Units that the day's move no longer belongs to."""
    return np.where(days[:, None] >= positions.entry, closed, 0.0)


def _unit_values(positions: Positions, column: NDArray[np.intp], mark: Floats) -> Floats:
    """Value of one unit per day (D, P): the mark of a listed asset, the book value of a private
    one (its stored value if positive, else what was paid)."""
    unit = np.where(column >= 0, mark[:, column], np.nan)
    stored = positions.stored_value / positions.quantity
    book = np.where(positions.stored_value > 0, stored, positions.entry_price)
    private = np.array([kind == "PRIVATE" for kind in positions.classes], np.bool_)
    return np.where(private, book, unit)
