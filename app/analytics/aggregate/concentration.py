"""How concentrated all holdings together are, by symbol."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    Availability,
    available,
    combined_portfolios,
    unavailable,
)
from app.analytics.book import gross_by_symbol
from app.calculations.concentration import concentration as concentration_by_day
from app.holdings import open_holdings

_SHOWN = 10


class TopPosition(TypedDict):
    """A symbol, its gross value in dollars, and its share of the gross value."""

    symbol: str
    weight: float
    value: float


class ConcentrationFigures(TypedDict):
    """HHI from 0 to 10,000; concentrations 0 to 1."""

    hhi: float
    effective_num_positions: float
    top_3_concentration: float
    top_10_concentration: float
    unique_symbols: int
    total_positions: int
    top_positions: list[TopPosition]


class AggregateConcentration(Availability):
    """Concentration over all holdings."""

    data: ConcentrationFigures | None
    calculation_method: str
    formula: str


async def concentration(
    session: AsyncSession, user_id: UUID, portfolio_ids: Sequence[UUID] | None = None
) -> AggregateConcentration:
    """Concentration by symbol, longs and shorts of all portfolios added up by gross value."""
    combined = await combined_portfolios(session, user_id, portfolio_ids)
    holdings = await open_holdings(session, combined.ids)
    gross = gross_by_symbol(holdings)
    head = available(combined) if gross else unavailable(combined, "No holding has a value")
    return {
        **head,
        "data": _figures(gross, len(holdings)) if gross else None,
        "calculation_method": "symbol_aggregation",
        "formula": "HHI = 10,000 * sum of squared weights, all portfolios' positions by symbol",
    }


def _figures(gross: dict[str, float], positions: int) -> ConcentrationFigures:
    found = concentration_by_day(np.array([list(gross.values())]))
    total = sum(gross.values())
    return {
        "hhi": float(found.hhi[0]),
        "effective_num_positions": float(found.effective_positions[0]),
        "top_3_concentration": float(found.top_3[0]),
        "top_10_concentration": float(found.top_10[0]),
        "unique_symbols": len(gross),
        "total_positions": positions,
        "top_positions": [
            {"symbol": symbol, "weight": value / total, "value": value}
            for symbol, value in list(gross.items())[:_SHOWN]
        ],
    }
