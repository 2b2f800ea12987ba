"""Tools about risk and return, computed by the daily batch or live from the holdings."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app import analytics
from app.agent.tools.arguments import OfPortfolio
from app.agent.tools.registry import ToolRegistry
from app.database import get_core_session
from app.ownership import OwnedPortfolio, owned_portfolio

TOOLS = ToolRegistry()

_Analysis = Callable[[AsyncSession, OwnedPortfolio], Awaitable[Any]]


def _offer(name: str, analysis: _Analysis, description: str) -> None:
    async def handler(user_id: UUID, wanted: OfPortfolio) -> Any:
        assert wanted.portfolio_id is not None, "prepare() fills it in"
        async with get_core_session() as session:
            portfolio = await owned_portfolio(session, user_id, wanted.portfolio_id)
            return await analysis(session, portfolio)

    TOOLS.offer(name, description, OfPortfolio)(handler)


_offer(
    "get_analytics_overview",
    analytics.overview,
    "Equity, leverage, long, short, gross and net exposure, profit and loss of a portfolio.",
)
_offer(
    "get_factor_exposures",
    analytics.factor_exposures,
    "Betas of a portfolio to market and style factors, with dollars.",
)
_offer(
    "get_sector_exposure",
    analytics.sector_exposure,
    "Weights of the sectors in a portfolio against the S&P 500.",
)
_offer(
    "get_correlation_matrix",
    analytics.correlation_matrix,
    "Correlations between a portfolio's positions over 90 days.",
)
_offer(
    "get_stress_test_results",
    analytics.stress_test,
    "What each stress scenario would cost or bring a portfolio.",
)
_offer(
    "get_concentration_metrics",
    analytics.concentration,
    "How concentrated a portfolio is: HHI, effective number of positions, weights of the largest.",
)
_offer(
    "get_volatility_analysis",
    analytics.volatility,
    "Realized and expected volatility of a portfolio, its trend and its percentile.",
)
