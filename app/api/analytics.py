"""Analytics of one portfolio."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_type_hints

from fastapi import APIRouter, Query, Response

from app import analytics
from app.analytics.correlations import CorrelationMatrix, DiversificationScore
from app.analytics.factor_betas import FactorExposures, PositionFactorExposures
from app.analytics.realized_risk import RiskMetrics
from app.analytics.stress import StressTest
from app.api.dependencies import CallersPortfolio, Core, listed
from app.errors import BadRequestError
from app.json_response import JsonResponse

router = APIRouter(prefix="/analytics/portfolio/{portfolio_id}", tags=["analytics"])


# PostgreSQL has no NUL in its texts.
_List = Annotated[str | None, Query(max_length=2000, pattern=r"^[^\x00]*$")]
_Lookback = Annotated[int, Query(ge=30, le=365, description="Calendar days; 90 are computed.")]
_Overlap = Annotated[int, Query(ge=10, le=365, description="Returns that a pair must share.")]


def _publish(path: str, figure: Callable[..., Awaitable[Any]]) -> None:
    """Send what `figure` says of the portfolio, as it and its docstring are."""

    async def answer(portfolio: CallersPortfolio, session: Core) -> Response:
        return JsonResponse(await figure(session, portfolio))

    shape = get_type_hints(figure)["return"]
    router.get(path, response_model=shape, name=figure.__name__, description=figure.__doc__)(answer)


def _check_overlap(lookback_days: int, min_overlap: int) -> None:
    if min_overlap > lookback_days:
        raise BadRequestError("min_overlap must not exceed lookback_days")


_publish("/overview", analytics.overview)


@router.get("/factor-exposures", response_model=FactorExposures)
async def factor_exposures(
    portfolio: CallersPortfolio, session: Core, use_latest_successful: bool = True
) -> Response:
    """Betas to styles, interest rate and market, of the newest complete day."""
    return JsonResponse(
        await analytics.factor_exposures(
            session, portfolio, use_latest_successful=use_latest_successful
        )
    )


@router.get("/positions/factor-exposures", response_model=PositionFactorExposures)
async def position_factor_exposures(
    portfolio: CallersPortfolio,
    session: Core,
    symbols: _List = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """A page of open positions with their factor betas; `symbols` is a comma-separated list."""
    return JsonResponse(
        await analytics.position_factor_exposures(
            session, portfolio, symbols=listed(symbols), limit=limit, offset=offset
        )
    )


_publish("/spread-factors", analytics.spread_factors)


@router.get("/correlation-matrix", response_model=CorrelationMatrix)
async def correlation_matrix(
    portfolio: CallersPortfolio,
    session: Core,
    lookback_days: _Lookback = 90,
    min_overlap: _Overlap = 30,
    max_symbols: Annotated[int, Query(ge=2, le=50)] = 25,
) -> Response:
    """Correlations among the largest symbols."""
    _check_overlap(lookback_days, min_overlap)
    return JsonResponse(
        await analytics.correlation_matrix(
            session,
            portfolio,
            lookback_days=lookback_days,
            min_overlap=min_overlap,
            max_symbols=max_symbols,
        )
    )


@router.get("/diversification-score", response_model=DiversificationScore)
async def diversification_score(
    portfolio: CallersPortfolio,
    session: Core,
    lookback_days: _Lookback = 90,
    min_overlap: _Overlap = 30,
) -> Response:
    """The mean absolute correlation of the book, by weight."""
    _check_overlap(lookback_days, min_overlap)
    return JsonResponse(
        await analytics.diversification_score(
            session, portfolio, lookback_days=lookback_days, min_overlap=min_overlap
        )
    )


@router.get("/stress-test", response_model=StressTest)
async def stress_test(
    portfolio: CallersPortfolio, session: Core, scenarios: _List = None
) -> Response:
    """What the scenarios would do; `scenarios` is a comma-separated list of their ids."""
    return JsonResponse(
        await analytics.stress_test(session, portfolio, scenarios=listed(scenarios))
    )


_publish("/sector-exposure", analytics.sector_exposure)
_publish("/concentration", analytics.concentration)
_publish("/volatility", analytics.volatility)
_publish("/beta-calculated-90d", analytics.beta_calculated_90d)
_publish("/beta-provider-1y", analytics.beta_provider_1y)
_publish("/market-beta", analytics.market_beta)
_publish("/beta-comparison", analytics.beta_comparison)


@router.get("/risk-metrics", response_model=RiskMetrics, deprecated=True)
async def risk_metrics(
    portfolio: CallersPortfolio,
    session: Core,
    lookback_days: Annotated[int, Query(ge=30, le=252)] = 90,
) -> Response:
    """Beta, volatility and drawdown of the recent past."""
    return JsonResponse(
        await analytics.risk_metrics(session, portfolio, lookback_days=lookback_days)
    )
