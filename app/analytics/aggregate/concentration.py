"""How concentrated all holdings together are, by symbol."""

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    Availability,
    CombinedPortfolios,
    available,
    unavailable,
)
from app.analytics.book import gross_by_symbol
from app.analytics.composition import ConcentrationFigures, concentration_figures
from app.holdings import open_holdings

_SHOWN = 10


class TopPosition(TypedDict):
    """A symbol, its gross value in dollars, and its share of the gross value."""

    symbol: str
    weight: float
    value: float


class AggregateFigures(ConcentrationFigures):
    """Over all holdings; the largest symbols first."""

    unique_symbols: int
    total_positions: int
    top_positions: list[TopPosition]


class AggregateConcentration(Availability):
    """Concentration over all holdings."""

    data: AggregateFigures | None
    calculation_method: str
    formula: str


async def concentration(
    session: AsyncSession, combined: CombinedPortfolios
) -> AggregateConcentration:
    """How concentrated all holdings together are."""
    holdings = await open_holdings(session, combined.ids)
    gross = gross_by_symbol(holdings)
    head = available(combined) if gross else unavailable(combined, "No holding has a value")
    return {
        **head,
        "data": _figures(gross, len(holdings)) if gross else None,
        "calculation_method": "symbol_aggregation",
        "formula": "HHI = 10,000 * sum of squared weights, all portfolios' positions by symbol",
    }


def _figures(gross: dict[str, float], positions: int) -> AggregateFigures:
    total = sum(gross.values())
    return {
        **concentration_figures(gross),
        "unique_symbols": len(gross),
        "total_positions": positions,
        "top_positions": [
            {"symbol": symbol, "weight": value / total, "value": value}
            for symbol, value in list(gross.items())[:_SHOWN]
        ],
    }
