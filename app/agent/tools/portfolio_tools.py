"""Tools about what the caller holds."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agent.tools.arguments import Arguments, Complete, Movers, OfPortfolio, Positions, Quality
from app.agent.tools.registry import ToolRegistry
from app.data.complete import SectionFlags, portfolio_complete
from app.data.movers import daily_movers
from app.data.portfolios import portfolios_overview
from app.data.positions import positions_details
from app.data.quality import data_quality
from app.data.tags import position_tags
from app.data.target_prices import target_prices
from app.errors import NotFoundError
from app.ownership import OwnedPortfolio, owned_portfolio, owned_portfolios

TOOLS = ToolRegistry()


@TOOLS.offer(
    "list_user_portfolios",
    "Every active portfolio of the user with id, name, values and number of positions. "
    "Ask this first where it is unclear which portfolio is meant.",
    Arguments,
)
async def _list_user_portfolios(session: AsyncSession, user_id: UUID, _: Arguments) -> Any:
    return await portfolios_overview(session, user_id)


@TOOLS.offer(
    "get_portfolio_complete",
    "One or several portfolios as a whole: equity, long and short counts, and every holding with "
    "quantity, price, market value and tags. Answers questions about holdings and weights.",
    Complete,
)
async def _get_portfolio_complete(session: AsyncSession, user_id: UUID, wanted: Complete) -> Any:
    if wanted.portfolio_ids:
        return await _several(session, user_id, wanted)
    assert wanted.portfolio_id is not None
    portfolio = await owned_portfolio(session, user_id, wanted.portfolio_id)
    return await _complete(session, portfolio, wanted)


async def _several(session: AsyncSession, user_id: UUID, wanted: Complete) -> Any:
    owned = {each.id: each for each in await owned_portfolios(session, user_id)}
    found: list[dict[str, Any]] = []
    for portfolio_id in dict.fromkeys(wanted.portfolio_ids or []):
        if portfolio := owned.get(portfolio_id):
            data = await _complete(session, portfolio, wanted)
            found.append({"portfolio_id": str(portfolio_id), "data": data})
        else:
            found.append({"portfolio_id": str(portfolio_id), "error": "Portfolio not found"})
    if all("error" in each for each in found):
        raise NotFoundError("Portfolio not found")
    return {"multi_portfolio": True, "portfolios": found}


async def _complete(session: AsyncSession, portfolio: OwnedPortfolio, wanted: Complete) -> Any:
    sections: SectionFlags = {
        "include_holdings": wanted.include_holdings,
        "include_position_tags": True,
        "include_timeseries": wanted.include_timeseries,
        "include_attrib": wanted.include_attrib,
    }
    return await portfolio_complete(session, portfolio, sections)


@TOOLS.offer(
    "get_positions_details",
    "Positions with entry price and date, cost, current value and unrealized profit or loss.",
    Positions,
)
async def _get_positions_details(session: AsyncSession, user_id: UUID, wanted: Positions) -> Any:
    return await positions_details(session, user_id, **wanted.model_dump())


TOOLS.offer_figure(
    "get_portfolio_data_quality",
    "How complete a portfolio's prices are and which analyses they allow.",
    data_quality,
    Quality,
)
TOOLS.offer_figure(
    "get_target_prices",
    "The user's own target prices of a portfolio's symbols and the returns that they expect.",
    target_prices,
)


@TOOLS.offer("get_position_tags", "The user's tags and the positions that carry them.", OfPortfolio)
async def _get_position_tags(session: AsyncSession, user_id: UUID, wanted: OfPortfolio) -> Any:
    return await position_tags(session, user_id, wanted.portfolio_id)


TOOLS.offer_figure(
    "get_daily_movers",
    "The positions that rose and fell the most on the last trading day and over the last week.",
    daily_movers,
    Movers,
)
