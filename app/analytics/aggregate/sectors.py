"""The sectors of all holdings together, against the S&P 500."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.analytics.aggregate.combined import (
    NOT_POSITIVE,
    Availability,
    CombinedPortfolios,
    available,
    unavailable,
)
from app.analytics.composition import (
    SectorComparison,
    benchmark_weights,
    by_sector,
    compared,
    sectors_of,
)
from app.holdings import open_holdings


class AggregateSectorExposure(Availability):
    """Sectors over all holdings."""

    data: SectorComparison | None
    calculation_method: str
    formula: str


async def sector_exposure(
    session: AsyncSession, combined: CombinedPortfolios
) -> AggregateSectorExposure:
    """Sectors of all holdings, against the benchmark."""
    holdings = await open_holdings(session, combined.ids)
    gross, _ = by_sector(holdings, await sectors_of(session, holdings))
    days = [holding.price_date for holding in holdings if holding.price_date]
    benchmark, _ = await benchmark_weights(session, max(days, default=datetime.now(UTC).date()))
    usable = combined.equity > 0
    head = available(combined) if usable else unavailable(combined, NOT_POSITIVE)
    return {
        **head,
        "data": compared(gross, benchmark, combined.equity) if usable else None,
        "calculation_method": "position_aggregation",
        "formula": "gross value of a sector's positions in all portfolios / total equity",
    }
