"""The positions of portfolios, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from ops.backfill.planning import PortfolioSpan
from ops.sql_files import statement

OPTION_MULTIPLIER = 100.0
_OPTION_TYPES = frozenset({"LC", "LP", "SC", "SP"})
_NEVER = np.datetime64("9999-12-31")

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Positions:
    """The P positions of one portfolio, as arrays (P,).

    Attributes:
        ids: (P, 16) bytes.
        quantity: what is still held; of an exited position, what was held until its exit.
        last_open: the last day on which the position counts.
        exited: the session to which the exit counts, or a day that never comes.
        stored_value: the market value in the row; NaN where there is none.
    """

    ids: NDArray[np.uint8]
    symbols: tuple[str, ...]
    volatility_symbols: tuple[str, ...]
    classes: tuple[str, ...]
    quantity: Floats
    multiplier: Floats
    entry_price: Floats
    entry: Days
    last_open: Days
    exited: Days
    exit_price: Floats
    stored_value: Floats
    factor_eligible: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.symbols)

    def in_class(self, investment_class: str) -> NDArray[np.bool_]:
        """Which positions are PUBLIC, OPTIONS or PRIVATE (P,)."""
        return np.array([own == investment_class for own in self.classes], np.bool_)


def load_positions(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> dict[UUID, tuple[Positions, list[UUID]]]:
    """The positions of each portfolio, and their ids in the same order."""
    wanted = [span.portfolio_id for span in spans]
    rows = core.execute(statement("backfill/positions"), {"portfolios": wanted}).fetchall()
    grouped: dict[UUID, list[tuple[Any, ...]]] = {portfolio: [] for portfolio in wanted}
    for row in rows:
        grouped[row[1]].append(row)
    return {
        span.portfolio_id: (
            _arrays(grouped[span.portfolio_id], span),
            [row[0] for row in grouped[span.portfolio_id]],
        )
        for span in spans
    }


def _arrays(rows: Sequence[tuple[Any, ...]], span: PortfolioSpan) -> Positions:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 13
    ids, _, symbols, types, classes, underlyings, *rest = columns
    quantity, entry_price, entry, ended, exit_dates, exit_price, stored = rest
    exited = [None if day is None else span.session(day) for day in exit_dates]
    last_open = _last_open(ended, exit_dates, exited)
    eligible = [
        kind == "PUBLIC" and of_type in ("LONG", "SHORT")
        for kind, of_type in zip(classes, types, strict=True)
    ]
    return Positions(
        ids=uuid_bytes(ids),
        symbols=tuple(symbols),
        volatility_symbols=tuple(underlyings),
        classes=tuple(classes),
        quantity=_floats(quantity),
        multiplier=np.array([OPTION_MULTIPLIER if t in _OPTION_TYPES else 1.0 for t in types]),
        entry_price=_floats(entry_price),
        entry=_days(entry),
        last_open=_days(last_open),
        exited=_days(exited),
        exit_price=_floats(exit_price),
        stored_value=_floats(stored),
        factor_eligible=np.array(eligible, np.bool_),
    )


def _last_open(
    ended: Sequence[date | None],
    exit_dates: Sequence[date | None],
    exited: Sequence[date | None],
) -> list[date | None]:
    """The last days on which positions count: an exit between two sessions counts to the next."""
    return [
        session if day is not None and day == end else end
        for end, day, session in zip(ended, exit_dates, exited, strict=True)
    ]


def uuid_bytes(values: Sequence[UUID]) -> NDArray[np.uint8]:
    """UUIDs as bytes (n, 16)."""
    return np.frombuffer(b"".join(v.bytes for v in values), np.uint8).reshape(len(values), 16)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _days(values: Sequence[date | None]) -> Days:
    return np.array([_NEVER if value is None else value for value in values], "datetime64[D]")
