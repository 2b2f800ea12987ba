"""A portfolio's equity, and the calculations that its owner asks for."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypedDict

from app.api.dependencies import CallersPortfolio, Core
from app.api.refused import refusals
from app.equity import declare_equity
from app.jobs.calculations import (
    CalculationStarted,
    CalculationStatus,
    calculation_status,
    start_calculation,
)
from app.json_response import JsonResponse

router = APIRouter(tags=["calculations"])

_ANALYTICS, _PORTFOLIOS = "/analytics/portfolio/{portfolio_id}", "/portfolios/{portfolio_id}"
_STATUS = "/batch-status/{batch_run_id}"

_LARGEST = Decimal("99999999999999.99")

# Another one waits or runs; Prefect cannot run it.
_NOT_NOW = refusals(409, 503)


def _cents(dollars: Decimal) -> Decimal:
    return dollars.quantize(Decimal("0.01"), ROUND_HALF_UP)


class DeclaredEquity(BaseModel):
    """Dollars, stored to the cent."""

    equity_balance: Annotated[
        Decimal, Field(ge=0, le=_LARGEST, allow_inf_nan=False), AfterValidator(_cents)
    ]


class EquityDeclared(TypedDict):
    """The equity as it is stored."""

    message: str
    portfolio_id: str
    equity_balance: float


class PolledCalculation(CalculationStarted):
    """A job was accepted; `poll_url` tells how it goes."""

    poll_url: str


class AcceptedCalculation(TypedDict):
    """A job was accepted; the message says where to poll."""

    portfolio_id: str
    batch_run_id: str
    status: str
    message: str


@router.put(f"{_ANALYTICS}/equity", response_model=EquityDeclared)
async def equity(portfolio: CallersPortfolio, body: DeclaredEquity, core: Core) -> Response:
    """Declare a portfolio's equity. Calculated days replace it by what they roll forward."""
    await declare_equity(core, portfolio.id, body.equity_balance)
    declared: EquityDeclared = {
        "message": "Equity balance updated successfully",
        "portfolio_id": str(portfolio.id),
        "equity_balance": float(body.equity_balance),
    }
    return JsonResponse(declared)


@router.post(
    f"{_ANALYTICS}/calculate",
    status_code=202,
    response_model=PolledCalculation,
    responses=_NOT_NOW,
)
async def calculate(portfolio: CallersPortfolio, core: Core, request: Request) -> Response:
    """Calculate the days that the portfolio misses, in the background."""
    started = await start_calculation(core, portfolio)
    url = _poll_url(request, "calculation_status", started)
    return JsonResponse({**started, "poll_url": url}, status_code=202)


@router.post(f"{_PORTFOLIOS}/calculate", response_model=AcceptedCalculation, responses=_NOT_NOW)
async def calculate_portfolio(
    portfolio: CallersPortfolio, core: Core, request: Request
) -> Response:
    """The same under the portfolio's own address."""
    started = await start_calculation(core, portfolio)
    url = _poll_url(request, "portfolio_calculation_status", started)
    accepted: AcceptedCalculation = {
        "portfolio_id": started["portfolio_id"],
        "batch_run_id": started["batch_run_id"],
        "status": started["status"],
        "message": f"{started['message']} at {url}",
    }
    return JsonResponse(accepted)


@router.get(f"{_ANALYTICS}{_STATUS}", name="calculation_status", response_model=CalculationStatus)
@router.get(
    f"{_PORTFOLIOS}{_STATUS}",
    name="portfolio_calculation_status",
    response_model=CalculationStatus,
)
async def batch_status(portfolio: CallersPortfolio, batch_run_id: UUID, core: Core) -> Response:
    """How a calculation of the portfolio goes."""
    return JsonResponse(await calculation_status(core, portfolio, batch_run_id))


def _poll_url(request: Request, route: str, started: CalculationStarted) -> str:
    path: str = request.app.url_path_for(
        route, portfolio_id=started["portfolio_id"], batch_run_id=started["batch_run_id"]
    )
    return path
