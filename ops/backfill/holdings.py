"""What a portfolio holds on each day, and what it is worth: days x positions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.calculations.equity import PositionHistory
from ops.backfill.inputs import PortfolioInputs
from ops.backfill.positions import Positions
from ops.backfill.prices import PriceMatrix

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Holdings:
    """D days x P positions.

    Attributes:
        open: a position counts from its entry to the day of its exit, deletion or expiration.
        column: (P,) column of the price matrix; -1 for private assets.
        units: signed units held during the day, 0 where the position is not open.
        value: signed market value; NaN where an open position has no value (a listed one without
            any price), 0 where it is not open.
        realized: (D,) booked gains.
        flow: (D,) contributions less withdrawals.
    """

    open: NDArray[np.bool_]
    column: NDArray[np.intp]
    units: Floats
    value: Floats
    history: PositionHistory
    realized: Floats
    flow: Floats

    @property
    def known_value(self) -> Floats:
        """Values with 0 for what has none."""
        return np.nan_to_num(self.value)

    @property
    def listed(self) -> NDArray[np.bool_]:
        """Which positions have a market (P,)."""
        listed: NDArray[np.bool_] = self.column >= 0
        return listed

    @property
    def valued(self) -> NDArray[np.bool_]:
        """Open listed positions with a value (D, P)."""
        return self.open & self.listed & ~np.isnan(self.value)

    @property
    def occupied(self) -> NDArray[np.bool_]:
        """Days on which any position is open (D,); a day without any stores zeros."""
        occupied: NDArray[np.bool_] = self.open.sum(axis=1) > 0
        return occupied

    @property
    def long_value(self) -> Floats:
        """Sum of the positive values (D,)."""
        total: Floats = np.maximum(self.known_value, 0.0).sum(axis=1)
        return total

    @property
    def short_value(self) -> Floats:
        """Sum of the negative values (D,), not above 0."""
        total: Floats = np.minimum(self.known_value, 0.0).sum(axis=1)
        return total


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
    units, closed, realized = _lots(inputs, days, is_open)
    unit_value = _unit_values(positions, column, mark)
    value = np.where(is_open, units * unit_value * positions.multiplier, 0.0)
    history = PositionHistory(
        column=column,
        entry_date=positions.entry,
        entry_price=positions.entry_price,
        multiplier=positions.multiplier,
        quantity=np.where(is_open, units - closed, 0.0),
        closed_quantity=closed,
    )
    flow = np.array([inputs.flows.get(day, 0.0) for day in inputs.span.days])
    return Holdings(is_open, column, units, value, history, realized, flow)


def _lots(
    inputs: PortfolioInputs, days: NDArray[np.datetime64], is_open: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Units held during each day (D, P), units given up on it (D, P), gains booked (D,).

    The stored quantity is what is left; lots sold later were still held before. Of an exited
    position it is what was left for the exit, unless more than that was sold on the exit's day.
    """
    positions = inputs.positions
    closed = np.zeros(is_open.shape)
    later = np.zeros(is_open.shape)
    at_exit = np.zeros(len(positions))
    realized = np.zeros(len(days))
    for lot in inputs.closings:
        day = np.datetime64(lot.day)
        realized[days == day] += lot.realized
        closed[days == day, lot.position] += lot.quantity
        if positions.exited[lot.position] == day:
            at_exit[lot.position] += lot.quantity
        else:
            later[days <= day, lot.position] += lot.quantity
    left = np.where(np.abs(at_exit) > np.abs(positions.quantity), at_exit, positions.quantity)
    units = np.where(is_open, left + later, 0.0)
    unbooked, gain = _unbooked_exits(positions, days, closed)
    return units, np.where(unbooked, positions.quantity, closed), realized + gain


def _unbooked_exits(
    positions: Positions, days: NDArray[np.datetime64], closed: Floats
) -> tuple[NDArray[np.bool_], Floats]:
    """Exits with a price that nothing was booked for (D, P), and their gains (D,)."""
    priced = ~np.isnan(positions.exit_price)
    unbooked = (days[:, None] == positions.exited) & (closed == 0) & priced
    gain = (positions.exit_price - positions.entry_price) * positions.quantity
    return unbooked, np.where(unbooked, gain * positions.multiplier, 0.0).sum(axis=1)


def _unit_values(positions: Positions, column: NDArray[np.intp], mark: Floats) -> Floats:
    """Value of one unit per day (D, P): the mark of a listed asset, the book value of a private
    one (its stored value if positive, else what was paid)."""
    unit = np.where(column >= 0, mark[:, column], np.nan)
    quantity = np.where(positions.quantity == 0, np.nan, positions.quantity)
    stored = positions.stored_value / quantity
    book = np.where(positions.stored_value > 0, stored, positions.entry_price)
    return np.where(positions.in_class("PRIVATE"), book, unit)
