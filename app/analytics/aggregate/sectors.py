"""The sectors of all holdings together, against the S&P 500."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    NOT_POSITIVE,
    Availability,
    available,
    combined_portfolios,
    unavailable,
)
from app.calculations.sectors import benchmark_name, sector_of
from app.holdings import Holding, open_holdings
from app.sql_files import statement

_BENCHMARK = "SP500"


class SectorComparison(TypedDict):
    """Gross value by sector relative to the equity, the benchmark's weights, and the difference."""

    portfolio_weights: dict[str, float]
    benchmark_weights: dict[str, float]
    over_underweight: dict[str, float]
    largest_overweight: str | None
    largest_underweight: str | None


class AggregateSectorExposure(Availability):
    """Sectors over all holdings."""

    data: SectorComparison | None
    calculation_method: str
    formula: str


async def sector_exposure(
    session: AsyncSession, user_id: UUID, portfolio_ids: Sequence[UUID] | None = None
) -> AggregateSectorExposure:
    """Gross value of each sector relative to the combined equity: a leveraged book exceeds 1."""
    combined = await combined_portfolios(session, user_id, portfolio_ids)
    holdings = await open_holdings(session, combined.ids)
    gross = await _gross_by_sector(session, holdings)
    benchmark = await _benchmark(session, holdings)
    usable = combined.equity > 0
    head = available(combined) if usable else unavailable(combined, NOT_POSITIVE)
    weights = {sector: gross[sector] / combined.equity for sector in sorted(gross) if usable}
    return {
        **head,
        "data": _compared(weights, benchmark) if usable else None,
        "calculation_method": "position_aggregation",
        "formula": "gross value of a sector's positions in all portfolios / total equity",
    }


async def _gross_by_sector(session: AsyncSession, holdings: Sequence[Holding]) -> dict[str, float]:
    """Gross dollars; a stock of unknown sector is left out."""
    symbols = sorted({holding.symbol for holding in holdings})
    rows = await session.execute(statement("analytics/aggregate/profiles"), {"symbols": symbols})
    profiles = {row.symbol: (row.sector, row.is_fund) for row in rows}
    gross: dict[str, float] = {}
    for holding in holdings:
        known, is_fund = profiles.get(holding.symbol, (None, False))
        sector = sector_of(holding.investment_class, known, is_fund=is_fund)
        if sector is not None and holding.value:
            gross[sector] = gross.get(sector, 0.0) + abs(holding.value)
    return gross


async def _benchmark(session: AsyncSession, holdings: Sequence[Holding]) -> dict[str, float]:
    """The newest weights that are not after the holdings' newest price."""
    days = [holding.price_date for holding in holdings if holding.price_date]
    day = max(days, default=datetime.now(UTC).date())
    asked = {"benchmark": _BENCHMARK, "day": day}
    rows = await session.execute(statement("analytics/benchmark_weights"), asked)
    return {benchmark_name(row.sector): row.weight for row in rows}


def _compared(weights: Mapping[str, float], benchmark: Mapping[str, float]) -> SectorComparison:
    names = sorted({*weights, *benchmark})
    excess = {name: weights.get(name, 0.0) - benchmark.get(name, 0.0) for name in names}
    return {
        "portfolio_weights": dict(weights),
        "benchmark_weights": dict(benchmark),
        "over_underweight": excess,
        "largest_overweight": max(excess, key=excess.__getitem__, default=None),
        "largest_underweight": min(excess, key=excess.__getitem__, default=None),
    }
