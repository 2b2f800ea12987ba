"""Analytics of one portfolio."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app import analytics
from app.analytics.composition import Concentration, SectorExposure
from app.analytics.correlations import CorrelationMatrix, DiversificationScore
from app.analytics.factor_betas import FactorExposures, PositionFactorExposures
from app.analytics.portfolio_overview import Overview
from app.analytics.provider_betas import BetaComparison, BetaProvider1y
from app.analytics.realized_risk import RiskMetrics
from app.analytics.snapshot_risk import BetaCalculated90d, MarketBeta, Volatility
from app.analytics.spreads import SpreadFactors
from app.analytics.stress import StressTest
from app.api.dependencies import CallersPortfolio, Core
from app.errors import BadRequestError
from app.json_response import JsonResponse

router = APIRouter(prefix="/analytics/portfolio/{portfolio_id}", tags=["analytics"])


class Refusal(BaseModel):
    """Why a request cannot be carried out as it stands."""

    detail: str


# PostgreSQL has no NUL in its texts.
_List = Annotated[str | None, Query(max_length=2000, pattern=r"^[^\x00]*$")]
_Lookback = Annotated[int, Query(ge=30, le=365, description="Calendar days; 90 are computed.")]
_Overlap = Annotated[int, Query(ge=10, le=365, description="Returns that a pair must share.")]


def _listed(text: str | None) -> list[str] | None:
    """The entries of a comma-separated list; None for one without any."""
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()] or None


def _check_overlap(lookback_days: int, min_overlap: int) -> None:
    if min_overlap > lookback_days:
        raise BadRequestError("min_overlap must not exceed lookback_days")


@router.get("/overview", response_model=Overview)
async def overview(portfolio: CallersPortfolio, session: Core) -> Response:
    """Exposures, profit and counts of what is held now."""
    return JsonResponse(await analytics.overview(session, portfolio))


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
            session, portfolio, symbols=_listed(symbols), limit=limit, offset=offset
        )
    )


@router.get("/spread-factors", response_model=SpreadFactors)
async def spread_factors(portfolio: CallersPortfolio, session: Core) -> Response:
    """Betas to the long-short factors, and what they mean."""
    return JsonResponse(await analytics.spread_factors(session, portfolio))


@router.get(
    "/correlation-matrix", response_model=CorrelationMatrix, responses={400: {"model": Refusal}}
)
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


@router.get(
    "/diversification-score",
    response_model=DiversificationScore,
    responses={400: {"model": Refusal}},
)
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
        await analytics.stress_test(session, portfolio, scenarios=_listed(scenarios))
    )


@router.get("/sector-exposure", response_model=SectorExposure)
async def sector_exposure(portfolio: CallersPortfolio, session: Core) -> Response:
    """Sector weights now, against the benchmark."""
    return JsonResponse(await analytics.sector_exposure(session, portfolio))


@router.get("/concentration", response_model=Concentration)
async def concentration(portfolio: CallersPortfolio, session: Core) -> Response:
    """How concentrated the book is now."""
    return JsonResponse(await analytics.concentration(session, portfolio))


@router.get("/volatility", response_model=Volatility)
async def volatility(portfolio: CallersPortfolio, session: Core) -> Response:
    """Realised and expected volatility."""
    return JsonResponse(await analytics.volatility(session, portfolio))


@router.get("/beta-calculated-90d", response_model=BetaCalculated90d)
async def beta_calculated_90d(portfolio: CallersPortfolio, session: Core) -> Response:
    """Market beta by regression of the positions."""
    return JsonResponse(await analytics.beta_calculated_90d(session, portfolio))


@router.get("/beta-provider-1y", response_model=BetaProvider1y)
async def beta_provider_1y(portfolio: CallersPortfolio, session: Core) -> Response:
    """Market beta from the data provider's betas."""
    return JsonResponse(await analytics.beta_provider_1y(session, portfolio))


@router.get("/market-beta", response_model=MarketBeta)
async def market_beta(portfolio: CallersPortfolio, session: Core) -> Response:
    """Market beta by regression, by its older names."""
    return JsonResponse(await analytics.market_beta(session, portfolio))


@router.get("/beta-comparison", response_model=BetaComparison)
async def beta_comparison(portfolio: CallersPortfolio, session: Core) -> Response:
    """Computed and provided beta of each position."""
    return JsonResponse(await analytics.beta_comparison(session, portfolio))


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
