"""Whether the prices that a calculation needs are there. Nothing is fetched: they come by copy."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.sql_files import statement

_RECENT_DAYS = 30
_ENOUGH_PERCENT = 80.0
_NAMED = 10


class Preprocessing(TypedDict):
    """What is known of the listed symbols that a portfolio holds.

    security_master_enriched: symbols with a profile. prices_bootstrapped: symbols with any close.
    price_coverage_percentage: the share with a close in the last 30 days; ready_for_batch from 80.
    """

    symbols_count: int
    security_master_enriched: int
    prices_bootstrapped: int
    price_coverage_percentage: float
    ready_for_batch: bool
    warnings: list[str]
    recommendations: list[str]


async def price_coverage(session: AsyncSession, portfolio_id: UUID, last: date) -> Preprocessing:
    """How well prices up to `last` cover a portfolio. One without listed symbols needs none."""
    recent = last - timedelta(days=_RECENT_DAYS)
    asked = {"portfolio": portfolio_id, "recent": recent}
    found = (await session.execute(statement("jobs/coverage"), asked)).one()
    percent = 100.0 * found.fresh / found.symbols if found.symbols else 100.0
    return {
        "symbols_count": found.symbols,
        "security_master_enriched": found.profiled,
        "prices_bootstrapped": found.priced,
        "price_coverage_percentage": round(percent, 1),
        "ready_for_batch": percent >= _ENOUGH_PERCENT,
        "warnings": [f"No close since {recent}: {_names(found.stale)}"] if found.stale else [],
        "recommendations": ["Copy market data of these symbols first"] if found.stale else [],
    }


def _names(symbols: list[str]) -> str:
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")
