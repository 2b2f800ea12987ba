"""How a portfolio's symbols move together."""

from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.book import gross_by_symbol
from app.analytics.envelope import Envelope, Gap, Metadata, envelope, nothing
from app.holdings import open_holdings
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_NO_CALCULATION = "no_calculation_available"
_TOO_SHORT = Gap(
    "insufficient_data", "INSUFFICIENT_DATA", "No pair of symbols shares as many returns"
)
_TOO_FEW = Gap("insufficient_symbols", "INSUFFICIENT_SYMBOLS", "It takes two symbols to correlate")
_NOT_HELD = Gap(
    "insufficient_symbols",
    "INSUFFICIENT_SYMBOLS",
    "Fewer than two of the correlated symbols are still held",
)


class Matrix(TypedDict):
    """Correlation of each pair, symbols by weight in the book; None where a pair shares too few
    returns. The average is of the absolute correlations of the whole calculation."""

    matrix: dict[str, dict[str, float | None]]
    average_correlation: float


class CorrelationMatrix(Envelope):
    """The newest correlations over the days asked for."""

    data: Matrix | None


class DiversificationScore(Envelope):
    """Mean absolute correlation, 0 to 1, each pair weighted by what is held of it: 1 means that
    everything moves as one."""

    portfolio_correlation: float | None
    symbols_included: int | None
    duration_days: int


async def correlation_matrix(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    lookback_days: int = 90,
    min_overlap: int = 30,
    max_symbols: int = 25,
) -> CorrelationMatrix:
    """Correlations among the `max_symbols` largest symbols of the newest calculation over
    `lookback_days`, where pairs share at least `min_overlap` returns."""
    held = gross_by_symbol(await open_holdings(session, [portfolio.id]))
    asked: dict[str, Any] = {"days": lookback_days, "overlap": min_overlap, "most": max_symbols}
    asked |= {"portfolio": portfolio.id, "held": list(held)}
    rows = (await session.execute(statement("analytics/correlation_matrix"), asked)).all()
    found = {row.symbol: row.correlations for row in rows if row.symbol is not None}
    limits: Metadata = {"lookback_days": lookback_days, "min_overlap": min_overlap}
    limits["max_symbols"] = max_symbols
    if len(found) < 2:
        gap, state = _matrix_gap(rows, lookback_days)
        return {**await nothing(session, portfolio, gap, **state, context=limits), "data": None}
    limits |= {"duration_days": lookback_days, "symbols_included": len(found)}
    limits |= {"calculation_date": rows[0].day.isoformat(), "selection_method": "weight"}
    matrix = {one: {other: found[one].get(other) for other in found} for one in found}
    return {
        **envelope(portfolio, rows[0].day, **limits),
        "data": {"matrix": matrix, "average_correlation": rows[0].average},
    }


def _matrix_gap(rows: Any, lookback_days: int) -> tuple[Gap, dict[str, Any]]:
    """Why there is no matrix, and what there is instead."""
    if not rows:
        return _missing(lookback_days), {}
    first = rows[0]
    state: dict[str, Any] = {"day": first.day, "data_days": first.data_points or 0}
    if first.symbol is None:
        return _TOO_SHORT, state
    return _TOO_FEW, {**state, "analyzed": first.positions_included}


def _missing(lookback_days: int) -> Gap:
    message = f"No correlations over {lookback_days} days have been computed"
    return Gap(_NO_CALCULATION, "NO_CORRELATION_CALCULATION", message)


async def diversification_score(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    lookback_days: int = 90,
    min_overlap: int = 30,
) -> DiversificationScore:
    """The weighted mean absolute correlation of the newest calculation over `lookback_days`."""
    held = gross_by_symbol(await open_holdings(session, [portfolio.id]))
    asked: dict[str, Any] = {"portfolio": portfolio.id, "days": lookback_days}
    asked |= {"overlap": min_overlap, "symbols": list(held), "weights": list(held.values())}
    row = (await session.execute(statement("analytics/diversification"), asked)).one_or_none()
    limits: Metadata = {"lookback_days": lookback_days, "min_overlap": min_overlap}
    limits["selection_method"] = "full_calculation_set"
    head: Envelope
    if row is None or row.correlation is None:
        gap, day = _score_gap(row, lookback_days)
        head = {**await nothing(session, portfolio, gap, day=day, context=limits)}
    else:
        head = envelope(portfolio, row.day, calculation_id=str(row.id), **limits)
    return {
        **head,
        "portfolio_correlation": row.correlation if row else None,
        "symbols_included": row.symbols if row else None,
        "duration_days": lookback_days,
    }


def _score_gap(row: Any, lookback_days: int) -> tuple[Gap, date | None]:
    if row is None:
        return _missing(lookback_days), None
    return _TOO_SHORT if row.symbols == 0 else _TOO_FEW if row.symbols == 1 else _NOT_HELD, row.day
