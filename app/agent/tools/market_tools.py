"""Tools about prices and companies."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agent.tools.arguments import MOST_SYMBOLS, FactorPrices, History, Profile, Quotes
from app.agent.tools.registry import ToolRegistry
from app.data.prices import factor_etf_prices, historical_prices, quotes
from app.data.profiles import company_profiles

TOOLS = ToolRegistry()


TOOLS.offer_figure(
    "get_prices_historical",
    "Daily prices of a portfolio's five largest positions over the past days.",
    historical_prices,
    History,
    max_symbols=MOST_SYMBOLS,
)


@TOOLS.offer(
    "get_current_quotes",
    "The newest stored price of up to 5 symbols with its change over the day before.",
    Quotes,
)
async def _get_current_quotes(session: AsyncSession, _: UUID, wanted: Quotes) -> Any:
    return await quotes(session, wanted.symbols)


@TOOLS.offer(
    "get_factor_etf_prices",
    "Daily prices of the funds that stand for the risk factors.",
    FactorPrices,
)
async def _get_factor_etf_prices(session: AsyncSession, _: UUID, wanted: FactorPrices) -> Any:
    return await factor_etf_prices(session, **wanted.model_dump())


@TOOLS.offer(
    "get_company_profile",
    "A company or fund: name, sector, industry, size, ratios, beta and description.",
    Profile,
)
async def _get_company_profile(session: AsyncSession, user_id: UUID, wanted: Profile) -> Any:
    return await company_profiles(session, user_id, symbols=[wanted.symbol.strip().upper()])
