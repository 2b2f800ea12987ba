"""Analytics over several portfolios of the caller."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_type_hints
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.analytics import aggregate
from app.analytics.aggregate.combined import combined_portfolios
from app.analytics.aggregate.correlations import AggregateCorrelationMatrix
from app.api.dependencies import Core, CurrentUser
from app.json_response import JsonResponse

router = APIRouter(prefix="/analytics/aggregate", tags=["aggregate analytics"])

PortfolioIds = Annotated[
    list[UUID] | None,
    Query(max_length=100, description="Portfolios of the caller; without any, all active ones."),
]
MaxSymbols = Annotated[int, Query(ge=2, le=50)]


def _publish(path: str, figure: Callable[..., Awaitable[Any]], meaning: str) -> None:
    """Send what `figure` says of the caller's portfolios together, as it is."""

    async def answer(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
        combined = await combined_portfolios(core, user.id, portfolio_ids)
        return JsonResponse(await figure(core, combined))

    shape = get_type_hints(figure)["return"]
    router.get(path, response_model=shape, name=figure.__name__, description=meaning)(answer)


_publish("/overview", aggregate.overview, "Total equity, and each portfolio's share of it.")
_publish("/breakdown", aggregate.breakdown, "Each portfolio's part, in percent and in dollars.")
_publish("/beta", aggregate.beta, "The market beta of the portfolios together.")
_publish(
    "/volatility",
    aggregate.volatility,
    "The mean volatility of the portfolios: an upper bound of what they have together.",
)
_publish(
    "/factor-exposures",
    aggregate.factor_exposures,
    "The beta of the portfolios together to each factor.",
)
_publish(
    "/sector-exposure", aggregate.sector_exposure, "Sectors of all holdings, against the benchmark."
)
_publish("/concentration", aggregate.concentration, "How concentrated all holdings together are.")


@router.get("/correlation-matrix", response_model=AggregateCorrelationMatrix)
async def correlation_matrix(
    user: CurrentUser,
    core: Core,
    portfolio_ids: PortfolioIds = None,
    max_symbols: MaxSymbols = 25,
) -> Response:
    """Correlations of the largest holdings, across portfolios."""
    combined = await combined_portfolios(core, user.id, portfolio_ids)
    found = await aggregate.correlation_matrix(core, combined, max_symbols=max_symbols)
    return JsonResponse(found)


_publish(
    "/stress-test", aggregate.stress_test, "What each scenario would do to the portfolios together."
)
