"""A portfolio as a whole: what clients and the chat's first tool ask for."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NotRequired

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.data.portfolios import net_asset_value
from app.data.price_histories import complete_symbols, newest_day
from app.data.tags import Tag, tags_by_position
from app.holdings import Holding, open_holdings
from app.json_response import day_text, utc_text
from app.models.base import utc_now
from app.ownership import OwnedPortfolio

MAX_POSITIONS = 2000
MAX_DAYS = 180
MAX_SYMBOLS = 5
SCHEMA_VERSION = "1.0"
_TIMESERIES_NOTE = "Not part of this response; see /data/prices/historical/{portfolio_id}"
_ATTRIBUTION_NOTE = "Attribution is not computed"


class SectionFlags(TypedDict):
    """Which sections."""

    include_holdings: bool
    include_position_tags: bool
    include_timeseries: bool
    include_attrib: bool


class RequestedSections(SectionFlags):
    """The request, as it was understood."""

    portfolio_id: str
    as_of_date: str | None


class AppliedSections(SectionFlags):
    """What the response holds. `as_of_date` is the newest day of the prices in it."""

    as_of_date: str


class CompleteLimits(TypedDict):
    """Bounds of a response."""

    max_positions: int
    max_days: int
    max_symbols: int | None


class CompleteMeta(TypedDict):
    """About the response. `truncated`: the portfolio has more holdings than are listed."""

    as_of: str
    requested: RequestedSections
    applied: AppliedSections
    limits: CompleteLimits
    rows_returned: int
    truncated: bool
    schema_version: str


class PortfolioTotals(TypedDict):
    """A portfolio in numbers, dollars."""

    id: str
    name: str
    net_asset_value: float
    total_value: float
    equity_balance: float
    position_count: int
    as_of: str


class PositionsSummary(TypedDict):
    """All open positions, also those that are not listed."""

    long_count: int
    short_count: int
    option_count: int
    total_market_value: float


class CompleteHolding(TypedDict):
    """An open position; dollars, negative for shorts. Without a price the value is 0."""

    id: str
    symbol: str
    quantity: float
    position_type: str
    investment_class: str
    market_value: float
    last_price: float | None
    current_price: float | None
    has_complete_history: bool
    tags: NotRequired[list[Tag]]


class Timeseries(TypedDict):
    """A place kept by the contract."""

    dates: list[str]
    values: list[float]
    note: str


class Attribution(TypedDict):
    """A place kept by the contract."""

    contributors: list[str]
    detractors: list[str]
    note: str


class CompleteDataQuality(TypedDict):
    """How many positions have a complete price history."""

    complete_data_positions: int
    partial_data_positions: int
    as_of: str


class PortfolioComplete(TypedDict):
    """The whole portfolio."""

    meta: CompleteMeta
    portfolio: PortfolioTotals
    positions_summary: PositionsSummary
    holdings: NotRequired[list[CompleteHolding]]
    timeseries: NotRequired[Timeseries]
    attribution: NotRequired[Attribution]
    data_quality: CompleteDataQuality


async def portfolio_complete(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    sections: SectionFlags,
    as_of_date: date | None = None,
) -> PortfolioComplete:
    """The portfolio with the sections that are asked for, in three statements whatever its size.

    `as_of_date` is accepted and reported, and changes nothing.
    """
    held = await open_holdings(session, [portfolio.id])
    day = newest_day(held)
    complete = await complete_symbols(session, held, day)
    tags = None
    if sections["include_holdings"] and sections["include_position_tags"]:
        tags = await tags_by_position(session, [portfolio.id], Tag)
    now = utc_text(utc_now())
    meta = _meta(portfolio, sections, as_of_date, day, len(held), now)
    found = _complete(portfolio, held, complete, meta, now)
    if sections["include_holdings"]:
        found["holdings"] = _listed(held[:MAX_POSITIONS], complete, tags)
    _add_places(found, sections)
    return found


def _complete(
    portfolio: OwnedPortfolio,
    held: Sequence[Holding],
    complete: Collection[str],
    meta: CompleteMeta,
    now: str,
) -> PortfolioComplete:
    summary = _summary(held)
    known = sum(h.symbol in complete for h in held)
    return {
        "meta": meta,
        "portfolio": _totals(portfolio, len(held), summary["total_market_value"], now),
        "positions_summary": summary,
        "data_quality": {
            "complete_data_positions": known,
            "partial_data_positions": len(held) - known,
            "as_of": now,
        },
    }


def _meta(
    portfolio: OwnedPortfolio,
    sections: SectionFlags,
    as_of_date: date | None,
    day: date | None,
    positions: int,
    now: str,
) -> CompleteMeta:
    asked, applied = day_text(as_of_date), (day or utc_now().date()).isoformat()
    listable = positions if sections["include_holdings"] else 0
    return {
        "as_of": now,
        "requested": {"portfolio_id": str(portfolio.id), **sections, "as_of_date": asked},
        "applied": {**sections, "as_of_date": applied},
        "limits": {
            "max_positions": MAX_POSITIONS,
            "max_days": MAX_DAYS,
            "max_symbols": MAX_SYMBOLS if sections["include_timeseries"] else None,
        },
        "rows_returned": min(listable, MAX_POSITIONS),
        "truncated": listable > MAX_POSITIONS,
        "schema_version": SCHEMA_VERSION,
    }


def _totals(
    portfolio: OwnedPortfolio, positions: int, market_value: float, now: str
) -> PortfolioTotals:
    value = net_asset_value(portfolio, market_value)
    return {
        "id": str(portfolio.id),
        "name": portfolio.name,
        "net_asset_value": value,
        "total_value": value,
        "equity_balance": portfolio.equity,
        "position_count": positions,
        "as_of": now,
    }


def _summary(held: Sequence[Holding]) -> PositionsSummary:
    types = Counter(h.position_type for h in held)
    return {
        "long_count": types["LONG"],
        "short_count": types["SHORT"],
        "option_count": len(held) - types["LONG"] - types["SHORT"],
        "total_market_value": sum(h.value for h in held),
    }


def _listed(
    held: Sequence[Holding], complete: Collection[str], tags: Mapping[str, list[Tag]] | None
) -> list[CompleteHolding]:
    rows = [_row(h, h.symbol in complete) for h in held]
    if tags is not None:
        for row in rows:
            row["tags"] = tags.get(row["id"], [])
    return rows


def _row(holding: Holding, complete: bool) -> CompleteHolding:
    return {
        "id": str(holding.id),
        "symbol": holding.symbol,
        "quantity": holding.quantity,
        "position_type": holding.position_type,
        "investment_class": holding.investment_class,
        "market_value": holding.value,
        "last_price": holding.price,
        "current_price": holding.price,
        "has_complete_history": complete,
    }


def _add_places(found: PortfolioComplete, sections: SectionFlags) -> None:
    """The contract names these two sections and leaves them empty."""
    if sections["include_timeseries"]:
        found["timeseries"] = {"dates": [], "values": [], "note": _TIMESERIES_NOTE}
    if sections["include_attrib"]:
        found["attribution"] = {"contributors": [], "detractors": [], "note": _ATTRIBUTION_NOTE}
