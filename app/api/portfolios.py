"""The caller's portfolios with their accounts."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.api.dependencies import Core, CurrentUser
from app.data.portfolios import (
    PortfolioRecord,
    PortfoliosOverview,
    portfolio_record,
    portfolios_overview,
)
from app.json_response import JsonResponse

router = APIRouter(prefix="/portfolios", tags=["portfolios"])


@router.get("", response_model=PortfoliosOverview)
async def portfolios(user: CurrentUser, session: Core, include_inactive: bool = False) -> Response:
    """The caller's active portfolios, or all of them."""
    found = await portfolios_overview(session, user.id, include_inactive=include_inactive)
    return JsonResponse(found)


@router.get("/{portfolio_id}", response_model=PortfolioRecord)
async def portfolio(portfolio_id: UUID, user: CurrentUser, session: Core) -> Response:
    """One portfolio of the caller."""
    return JsonResponse(await portfolio_record(session, user.id, portfolio_id))
