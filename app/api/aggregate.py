"""Analytics over several portfolios of the caller."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.analytics import aggregate
from app.analytics.aggregate.concentration import AggregateConcentration
from app.analytics.aggregate.correlations import AggregateCorrelationMatrix
from app.analytics.aggregate.overview import AggregateBreakdown, AggregateOverview
from app.analytics.aggregate.sectors import AggregateSectorExposure
from app.analytics.aggregate.stress import AggregateStressTest
from app.analytics.aggregate.weighted_means import (
    AggregateBeta,
    AggregateFactorExposures,
    AggregateVolatility,
)
from app.api.dependencies import Core, CurrentUser
from app.json_response import JsonResponse

router = APIRouter(prefix="/analytics/aggregate", tags=["aggregate analytics"])

PortfolioIds = Annotated[
    list[UUID] | None,
    Query(max_length=100, description="Portfolios of the caller; without any, all active ones."),
]
MaxSymbols = Annotated[int, Query(ge=2, le=50)]


@router.get("/overview", response_model=AggregateOverview)
async def overview(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
    """Total equity, and each portfolio's share of it."""
    return JsonResponse(await aggregate.overview(core, user.id, portfolio_ids))


@router.get("/breakdown", response_model=AggregateBreakdown)
async def breakdown(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
    """Each portfolio's part, in percent and in dollars."""
    return JsonResponse(await aggregate.breakdown(core, user.id, portfolio_ids))


@router.get("/beta", response_model=AggregateBeta)
async def beta(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
    """The market beta of the portfolios together."""
    return JsonResponse(await aggregate.beta(core, user.id, portfolio_ids))


@router.get("/volatility", response_model=AggregateVolatility)
async def volatility(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
    """The mean volatility of the portfolios: an upper bound of what they have together."""
    return JsonResponse(await aggregate.volatility(core, user.id, portfolio_ids))


@router.get("/factor-exposures", response_model=AggregateFactorExposures)
async def factor_exposures(
    user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None
) -> Response:
    """The beta of the portfolios together to each factor."""
    return JsonResponse(await aggregate.factor_exposures(core, user.id, portfolio_ids))


@router.get("/sector-exposure", response_model=AggregateSectorExposure)
async def sector_exposure(
    user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None
) -> Response:
    """Sectors of all holdings, against the benchmark."""
    return JsonResponse(await aggregate.sector_exposure(core, user.id, portfolio_ids))


@router.get("/concentration", response_model=AggregateConcentration)
async def concentration(
    user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None
) -> Response:
    """How concentrated all holdings together are."""
    return JsonResponse(await aggregate.concentration(core, user.id, portfolio_ids))


@router.get("/correlation-matrix", response_model=AggregateCorrelationMatrix)
async def correlation_matrix(
    user: CurrentUser,
    core: Core,
    portfolio_ids: PortfolioIds = None,
    max_symbols: MaxSymbols = 25,
) -> Response:
    """Correlations of the largest holdings, across portfolios."""
    found = await aggregate.correlation_matrix(
        core, user.id, portfolio_ids, max_symbols=max_symbols
    )
    return JsonResponse(found)


@router.get("/stress-test", response_model=AggregateStressTest)
async def stress_test(
    user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None
) -> Response:
    """What each scenario would do to the portfolios together."""
    return JsonResponse(await aggregate.stress_test(core, user.id, portfolio_ids))
