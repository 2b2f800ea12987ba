"""How the largest holdings of all portfolios move together.

The batch correlates the symbols of one portfolio, so a pair that is held in two portfolios has no
stored correlation. This one is computed from the closes, on the batch's rule: log returns of the
last 90 calendar days, on the dates that all symbols share.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    Availability,
    CombinedPortfolios,
    available,
    unavailable,
)
from app.analytics.book import gross_by_symbol
from app.calculations.correlations import (
    CORRELATION_WINDOW_DAYS,
    CorrelationBlock,
    windowed_correlations,
)
from app.holdings import Holding, open_holdings
from app.sql_files import statement

_LISTED = "PUBLIC"


class Matrix(TypedDict):
    """Pearson correlations, symbols by gross value, and the mean of their absolute values."""

    matrix: dict[str, dict[str, float]]
    symbols: list[str]
    average_correlation: float


class MatrixMetadata(TypedDict):
    """The day of the newest close, and how many symbols were asked for and are in the matrix."""

    calculation_date: str
    symbols_requested: int
    symbols_included: int


class AggregateCorrelationMatrix(Availability):
    """Correlations across portfolios."""

    data: Matrix | None
    metadata: MatrixMetadata | None


async def correlation_matrix(
    session: AsyncSession, combined: CombinedPortfolios, *, max_symbols: int = 25
) -> AggregateCorrelationMatrix:
    """Correlations of the `max_symbols` listed symbols with the largest gross value."""
    listed = _listed(await open_holdings(session, combined.ids))
    symbols = list(gross_by_symbol(listed))[:max_symbols]
    day = max((h.price_date for h in listed if h.price_date and h.symbol in symbols), default=None)
    block = None if day is None else await _correlated(session, symbols, day)
    if day is None or block is None or len(block.symbols) < 2:
        reason = "Fewer than two listed symbols have enough prices for a correlation"
        return {**unavailable(combined, reason), "data": None, "metadata": None}
    return {
        **available(combined),
        "data": _matrix(block, symbols),
        "metadata": {
            "calculation_date": day.isoformat(),
            "symbols_requested": max_symbols,
            "symbols_included": len(block.symbols),
        },
    }


def _listed(holdings: Sequence[Holding]) -> list[Holding]:
    return [holding for holding in holdings if holding.investment_class == _LISTED]


async def _correlated(
    session: AsyncSession, symbols: Sequence[str], day: date
) -> CorrelationBlock | None:
    first = day - timedelta(days=CORRELATION_WINDOW_DAYS)
    rows = await session.execute(
        statement("analytics/aggregate/closes"),
        {"symbols": list(symbols), "first": first, "last": day},
    )
    closes = {row.symbol: row for row in rows}
    dates = np.array(sorted({d for row in closes.values() for d in row.dates}), "datetime64[D]")
    prices = _aligned(closes, symbols, dates)
    everything = np.ones((1, len(symbols)), np.bool_)
    blocks = windowed_correlations(prices, dates, np.array([len(dates) - 1]), everything)
    return blocks[0] if blocks else None


def _aligned(
    closes: Mapping[str, Row[tuple[object, ...]]],
    symbols: Sequence[str],
    dates: np.ndarray[tuple[int], np.dtype[np.datetime64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The closes (T, S) on common dates; NaN where a symbol has none."""
    prices = np.full((len(dates), len(symbols)), np.nan)
    for column, symbol in enumerate(symbols):
        if row := closes.get(symbol):
            days = np.array(row.dates, "datetime64[D]")
            prices[np.searchsorted(dates, days), column] = row.closes
    return prices


def _matrix(block: CorrelationBlock, symbols: Sequence[str]) -> Matrix:
    names = [symbols[column] for column in block.symbols]
    return {
        "matrix": {
            name: dict(zip(names, row, strict=True))
            for name, row in zip(names, block.matrix[0].tolist(), strict=True)
        },
        "symbols": names,
        "average_correlation": float(block.overall[0]),
    }
