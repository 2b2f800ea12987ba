"""Portfolio data: holdings, prices, profiles. Everybody sees their own."""

import re
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from app.api.dependencies import CallersPortfolio, Core, CurrentUser, listed
from app.data.complete import PortfolioComplete, SectionFlags, portfolio_complete
from app.data.portfolios import ListedPortfolio, list_portfolios
from app.data.positions import PositionsDetails, positions_details
from app.data.prices import (
    DEFAULT_LOOKBACK_DAYS,
    DateFormat,
    FactorEtfPrices,
    HistoricalPrices,
    Quotes,
    factor_etf_prices,
    historical_prices,
    quotes,
)
from app.data.profiles import CompanyProfiles, company_profiles
from app.data.quality import DataQuality, data_quality
from app.data.snapshot import LatestSnapshot, latest_snapshot
from app.data.target_prices import TargetPrice, target_prices
from app.data.top_positions import DEFAULT_LIMIT, MAX_LIMIT, SortBy, TopPositions, top_positions
from app.json_response import JsonResponse

router = APIRouter(tags=["data"])

_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_MANY = 200

# Lists are comma-separated texts, as clients know them.
_Symbols = Query(
    max_length=21 * _MANY,
    pattern=r"^[ ,]*[A-Za-z0-9_.^=/-][A-Za-z0-9_.^=/, -]*$",
    description="Comma-separated symbols.",
)
_PositionIds = Annotated[
    str | None,
    Query(
        max_length=38 * _MANY,
        pattern=rf"^ *{_UUID} *(?:, *{_UUID} *)*$",
        description="Comma-separated position ids.",
    ),
]
_Names = Annotated[
    str | None,
    Query(
        max_length=2000,
        pattern=r"^[ ,]*[A-Za-z0-9_()][A-Za-z0-9_(), -]*$",
        description="Comma-separated names.",
    ),
]


def _only_iso(text: object) -> object:
    """Pydantic alone would read a bare number as seconds since 1970."""
    if isinstance(text, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("must be YYYY-MM-DD")
    return text


_IsoDate = Annotated[date, BeforeValidator(_only_iso)]
_Lookback = Annotated[int, Query(ge=1, le=365, description="Calendar days.")]


def _ids(text: str | None) -> list[UUID] | None:
    return [UUID(each) for each in listed(text) or ()] or None


@router.get("/data/portfolios", response_model=list[ListedPortfolio])
async def portfolios(user: CurrentUser, session: Core) -> Response:
    """The caller's portfolios with what they hold."""
    return JsonResponse(await list_portfolios(session, user.id))


@router.get("/data/portfolio/{portfolio_id}/complete", response_model=PortfolioComplete)
async def complete(
    portfolio: CallersPortfolio,
    session: Core,
    include_holdings: bool = True,
    include_position_tags: bool = True,
    include_timeseries: bool = False,
    include_attrib: bool = False,
    as_of_date: Annotated[_IsoDate | None, Query(description="Accepted, changes nothing.")] = None,
) -> Response:
    """The portfolio as a whole: totals, holdings with their tags, quality of the data."""
    sections: SectionFlags = {
        "include_holdings": include_holdings,
        "include_position_tags": include_position_tags,
        "include_timeseries": include_timeseries,
        "include_attrib": include_attrib,
    }
    return JsonResponse(await portfolio_complete(session, portfolio, sections, as_of_date))


@router.get("/data/portfolio/{portfolio_id}/snapshot", response_model=LatestSnapshot)
async def snapshot(portfolio: CallersPortfolio, session: Core) -> Response:
    """The newest snapshot: target returns, betas, the day's result."""
    return JsonResponse(await latest_snapshot(session, portfolio))


@router.get("/data/portfolio/{portfolio_id}/data-quality", response_model=DataQuality)
async def quality(
    portfolio: CallersPortfolio,
    session: Core,
    check_factors: bool = True,
    check_correlations: bool = True,
) -> Response:
    """How much price history there is, and which calculations it suffices for."""
    return JsonResponse(
        await data_quality(
            session,
            portfolio,
            check_factors=check_factors,
            check_correlations=check_correlations,
        )
    )


@router.get("/data/positions/details", response_model=PositionsDetails)
async def details(
    user: CurrentUser,
    session: Core,
    portfolio_id: UUID | None = None,
    include_closed: bool = False,
    position_ids: _PositionIds = None,
) -> Response:
    """Positions of a portfolio, or those named, with cost, value and profit."""
    return JsonResponse(
        await positions_details(
            session,
            user.id,
            portfolio_id=portfolio_id,
            position_ids=_ids(position_ids),
            include_closed=include_closed,
        )
    )


@router.get("/data/positions/top/{portfolio_id}", response_model=TopPositions)
async def top(
    portfolio: CallersPortfolio,
    session: Core,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    sort_by: SortBy = "market_value",
    as_of_date: Annotated[_IsoDate | None, Query(description="At most 180 days back.")] = None,
) -> Response:
    """The largest positions."""
    return JsonResponse(
        await top_positions(session, portfolio, limit=limit, sort_by=sort_by, as_of_date=as_of_date)
    )


@router.get("/data/prices/historical/{portfolio_id}", response_model=HistoricalPrices)
async def historical(
    portfolio: CallersPortfolio,
    session: Core,
    lookback_days: _Lookback = DEFAULT_LOOKBACK_DAYS,
    include_factor_etfs: bool = True,
    date_format: DateFormat = "iso",
) -> Response:
    """Daily prices of what the portfolio holds, up to the newest close."""
    return JsonResponse(
        await historical_prices(
            session,
            portfolio,
            lookback_days=lookback_days,
            include_factor_etfs=include_factor_etfs,
            date_format=date_format,
        )
    )


@router.get("/data/prices/quotes", response_model=Quotes)
async def last_quotes(
    _: CurrentUser,
    session: Core,
    *,
    include_options: Annotated[bool, Query(description="Accepted, changes nothing.")] = False,
    symbols: Annotated[str, _Symbols],
) -> Response:
    """The last closes of symbols."""
    return JsonResponse(await quotes(session, listed(symbols) or ()))


@router.get("/data/company-profiles", response_model=CompanyProfiles)
async def profiles(
    user: CurrentUser,
    session: Core,
    portfolio_id: UUID | None = None,
    symbols: Annotated[str | None, _Symbols] = None,
    position_ids: _PositionIds = None,
    fields: _Names = None,
) -> Response:
    """Company profiles of exactly one of: symbols, positions, a portfolio."""
    return JsonResponse(
        await company_profiles(
            session,
            user.id,
            symbols=listed(symbols),
            portfolio_id=portfolio_id,
            position_ids=_ids(position_ids),
            fields=listed(fields),
        )
    )


@router.get("/data/factors/etf-prices", response_model=FactorEtfPrices)
async def factor_etfs(
    _: CurrentUser,
    session: Core,
    lookback_days: _Lookback = DEFAULT_LOOKBACK_DAYS,
    factors: _Names = None,
) -> Response:
    """The newest prices of the ETFs that stand for factors."""
    return JsonResponse(
        await factor_etf_prices(session, lookback_days=lookback_days, factors=listed(factors))
    )


@router.get("/target-prices/{portfolio_id}", response_model=list[TargetPrice])
async def targets(
    portfolio: CallersPortfolio,
    session: Core,
    symbol: Annotated[str | None, Query(max_length=20, pattern=r"^[A-Za-z0-9_.^=/ -]+$")] = None,
    position_type: Literal["LONG", "SHORT", "LC", "LP", "SC", "SP"] | None = None,
) -> Response:
    """The portfolio's price targets."""
    found = await target_prices(session, portfolio, symbol=symbol, position_type=position_type)
    return JsonResponse(found["target_prices"])
