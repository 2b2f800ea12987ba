"""The newest snapshot of a portfolio, as its card shows it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.json_response import json_value
from app.models import PortfolioSnapshot
from app.ownership import OwnedPortfolio


class LatestSnapshot(TypedDict):
    """Target returns (percent), betas and the day's result (dollars, and as a fraction).

    Where there is no snapshot the date is null and the targets are 0.
    """

    portfolio_id: str
    snapshot_date: str | None
    target_price_return_eoy: float
    target_price_return_next_year: float
    target_price_coverage_pct: float
    target_price_positions_count: int
    target_price_total_positions: int
    target_price_last_updated: str | None
    beta_calculated_90d: float | None
    beta_provider_1y: float | None
    daily_pnl: float | None
    daily_return: float | None


_FIELDS = [name for name in LatestSnapshot.__annotations__ if name != "portfolio_id"]
_COLUMNS = [getattr(PortfolioSnapshot, name) for name in _FIELDS]
# The contract has 0 in these where nothing is known.
_NEVER_NULL = (
    "target_price_return_eoy",
    "target_price_return_next_year",
    "target_price_coverage_pct",
    "target_price_positions_count",
    "target_price_total_positions",
)


async def latest_snapshot(session: AsyncSession, portfolio: OwnedPortfolio) -> LatestSnapshot:
    """What the batch stored for the portfolio's last day."""
    query = (
        select(*_COLUMNS)
        .where(PortfolioSnapshot.portfolio_id == portfolio.id)
        .order_by(PortfolioSnapshot.snapshot_date.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none() or [None] * len(_FIELDS)
    found = {name: json_value(value) for name, value in zip(_FIELDS, row, strict=True)}
    for name in _NEVER_NULL:
        found[name] = found[name] or 0
    return {"portfolio_id": str(portfolio.id), **found}  # type: ignore[typeddict-item]
