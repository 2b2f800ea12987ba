"""Closing prices as one matrix, days x symbols, with the holes kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import psycopg
from numpy.typing import NDArray

from app.calculations.factors import REQUIRED_ETFS
from ops.errors import BadInputError
from ops.sql_files import statement
from ops.trading_calendar import trading_days

# The longest look-back is a year, and the reference of a one-year return may be ten days older. The
# days before that hold the first session, which stands for all that is older still.
LOOKBACK_DAYS = 376 + 10
_COPY_HEADER_BYTES = 19
_COPY_TRAILER_BYTES = 2
_ROW = np.dtype(
    [("fields", ">i2"), ("a", ">i4"), ("code", ">i4"), ("b", ">i4"), ("day", ">i4"), ("c", ">i4"),
     ("close", ">f8")]
)  # fmt: skip
_EPOCH_2000 = np.datetime64("2000-01-01")


@dataclass(frozen=True)
class PriceMatrix:
    """Closing prices of NYSE sessions.

    Attributes:
        dates: (T,) ascending sessions.
        symbols: S names, the columns of `closes`.
        closes: (T, S); NaN where there is no price above zero. The first row holds the last close
            on or before its session, however old: only what has no age limit looks back on it.
    """

    dates: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    closes: NDArray[np.float64]

    def column(self, symbol: str) -> int:
        """The column of a symbol, or -1 where it was not asked for."""
        return self._columns().get(symbol, -1)

    def series(self, symbol: str) -> NDArray[np.float64]:
        """The closes (T,) of a symbol that has a column."""
        return self.closes[:, self._columns()[symbol]]

    def benchmarks_that_end(self) -> dict[str, date | None]:
        """The factor ETFs without a price on the last session, with that of their last price."""
        ends: dict[str, date | None] = {}
        for etf in REQUIRED_ETFS:
            priced = np.flatnonzero(np.isfinite(self.series(etf)))
            if not priced.size or priced[-1] < len(self.dates) - 1:
                ends[etf] = self.dates[priced[-1]].item() if priced.size else None
        return ends

    def rows_of(self, days: Sequence[date]) -> NDArray[np.intp]:
        """The rows of sessions."""
        return np.searchsorted(self.dates, np.array(days, "datetime64[D]"))

    def _columns(self) -> dict[str, int]:
        return {symbol: index for index, symbol in enumerate(self.symbols)}


def load_prices(
    core: psycopg.Connection, symbols: Sequence[str], first: date, last: date
) -> PriceMatrix:
    """Read the closes of `symbols` and the factor ETFs that days `first`..`last` look back on."""
    wanted = sorted({*symbols, *REQUIRED_ETFS})
    dates = np.array(trading_days(first - timedelta(days=LOOKBACK_DAYS), last), "datetime64[D]")
    rows = _read(core, wanted, dates)
    sessions = _EPOCH_2000 + rows["day"].astype("timedelta64[D]")
    position = np.searchsorted(dates, sessions)
    closes = np.full((len(dates), len(wanted)), np.nan)
    on_session = (position < len(dates)) & (dates[np.minimum(position, len(dates) - 1)] == sessions)
    kept = rows[on_session]
    closes[position[on_session], kept["code"]] = kept["close"]
    return PriceMatrix(dates, tuple(wanted), closes)


def _read(
    core: psycopg.Connection, symbols: list[str], dates: NDArray[np.datetime64]
) -> NDArray[np.void]:
    query = statement("backfill/closes")
    bounds = {"symbols": symbols, "first": dates[0].item(), "last": dates[-1].item()}
    with psycopg.ClientCursor(core) as cursor, cursor.copy(query, bounds) as copy:
        content = b"".join(copy)
    body = memoryview(content)[_COPY_HEADER_BYTES : len(content) - _COPY_TRAILER_BYTES]
    return np.frombuffer(body, _ROW)


def check_coverage(
    core: psycopg.Connection, benchmarks: PriceMatrix, held: Sequence[str], first: date
) -> None:
    """See that there are prices to compute the days from `first` on with.

    Args:
        benchmarks: the closes of the factor ETFs.
        held: all symbols that the batch can need.

    Raises:
        BadInputError: every factor ETF, or every held symbol, has no price in the range, or the
            prices end before it does.
    """
    inside = benchmarks.dates >= np.datetime64(first)
    priced = benchmarks.dates[inside & np.isfinite(benchmarks.closes).any(axis=1)].tolist()
    if not priced:
        raise BadInputError(
            f"no price of any factor ETF ({', '.join(REQUIRED_ETFS)}) from {first} on; "
            "run `sigmasight copy` or choose days that have prices"
        )
    days = benchmarks.dates[inside].tolist()
    row = core.execute(
        statement("backfill/last_priced"), {"symbols": list(held), "days": days}
    ).fetchone()
    if held and row is None:
        raise BadInputError(
            f"no held symbol has a price from {first} on; "
            "run `sigmasight copy` or choose days that have prices"
        )
    last = max([priced[-1], *(row or ())])
    if last < days[-1]:
        raise BadInputError(f"prices end on {last}; run `sigmasight copy`, or choose --last {last}")
