"""Price targets of a portfolio."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.json_response import json_row
from app.models import PortfolioTargetPrice
from app.ownership import OwnedPortfolio


class TargetPrice(TypedDict):
    """Targets of a symbol (dollars a unit) and what they imply (percent; dollar values)."""

    id: str
    portfolio_id: str
    position_id: str | None
    symbol: str
    position_type: str | None
    target_price_eoy: float | None
    target_price_next_year: float | None
    downside_target_price: float | None
    current_price: float
    expected_return_eoy: float | None
    expected_return_next_year: float | None
    downside_return: float | None
    target_upside_eoy_value: float | None
    target_upside_next_year_value: float | None
    target_downside_value: float | None
    position_weight: float | None
    contribution_to_portfolio_return: float | None
    contribution_to_portfolio_risk: float | None
    price_updated_at: str | None
    created_by: str | None
    created_at: str
    updated_at: str


class TargetPrices(TypedDict):
    """A portfolio's targets, by symbol."""

    portfolio_id: str
    target_prices: list[TargetPrice]
    total: int


_COLUMNS = [getattr(PortfolioTargetPrice, name) for name in TargetPrice.__annotations__]


async def target_prices(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    symbol: str | None = None,
    position_type: str | None = None,
) -> TargetPrices:
    """The targets as they were recorded; `symbol` in any case."""
    query = (
        select(*_COLUMNS)
        .where(PortfolioTargetPrice.portfolio_id == portfolio.id)
        .order_by(PortfolioTargetPrice.symbol.collate("C"), PortfolioTargetPrice.id)
    )
    if symbol is not None:
        query = query.where(func.upper(PortfolioTargetPrice.symbol) == symbol.upper())
    if position_type is not None:
        query = query.where(PortfolioTargetPrice.position_type == position_type)
    rows = [json_row(TargetPrice, row) for row in await session.execute(query)]
    return {"portfolio_id": str(portfolio.id), "target_prices": rows, "total": len(rows)}
