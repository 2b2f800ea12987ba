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


def _publish(path: str, figure: Callable[..., Awaitable[Any]]) -> None:
    """Send what `figure` says of the caller's portfolios together, as it and its docstring are."""

    async def answer(user: CurrentUser, core: Core, portfolio_ids: PortfolioIds = None) -> Response:
        combined = await combined_portfolios(core, user.id, portfolio_ids)
        return JsonResponse(await figure(core, combined))

    shape = get_type_hints(figure)["return"]
    router.get(path, response_model=shape, name=figure.__name__, description=figure.__doc__)(answer)


_publish("/overview", aggregate.overview)
_publish("/breakdown", aggregate.breakdown)
_publish("/beta", aggregate.beta)
_publish("/volatility", aggregate.volatility)
_publish("/factor-exposures", aggregate.factor_exposures)
_publish("/sector-exposure", aggregate.sector_exposure)
_publish("/concentration", aggregate.concentration)


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


_publish("/stress-test", aggregate.stress_test)
