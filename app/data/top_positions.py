"""The largest positions of a portfolio."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.data.price_histories import newest_day
from app.data.profiles import NO_FACTS, CompanyFacts, company_facts
from app.holdings import Holding, open_holdings
from app.json_response import day_text, utc_text
from app.models.base import utc_now
from app.ownership import OwnedPortfolio
from app.sql_files import statement

SortBy = Literal["market_value", "weight"]
DEFAULT_LIMIT = 20
MAX_LIMIT = 50
MAX_LOOKBACK_DAYS = 180
SCHEMA_VERSION = "1.0"


class TopPosition(TypedDict):
    """A position: its value in dollars, negative for shorts, and its percentage of the gross
    value, without a sign."""

    symbol: str
    name: str
    qty: float
    value: float
    weight: float
    sector: str | None


class TopRequested(TypedDict):
    """The request, as it was understood."""

    portfolio_id: str
    limit: int
    sort_by: str
    as_of_date: str | None


class TopApplied(TypedDict):
    """What was done: so many positions, at the prices of this day."""

    limit: int
    sort_by: str
    as_of_date: str


class TopLimits(TypedDict):
    """Bounds of a request."""

    max_limit: int
    max_lookback_days: int


class TopMeta(TypedDict):
    """About the response. `truncated`: there are more positions than listed."""

    as_of: str
    requested: TopRequested
    applied: TopApplied
    limits: TopLimits
    rows_returned: int
    truncated: bool
    schema_version: str


class TopPositions(TypedDict):
    """The largest positions first, and their part of the gross value in percent."""

    meta: TopMeta
    data: list[TopPosition]
    coverage_percent: float
    total_positions: int


async def top_positions(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    limit: int = DEFAULT_LIMIT,
    sort_by: SortBy = "market_value",
    as_of_date: date | None = None,
) -> TopPositions:
    """The positions with the largest values, whatever their sign.

    With `as_of_date`, those held now that had been entered by then, at the prices of that day; it
    goes back at most 180 days from the newest prices. Both orders are one: weights are shares of
    the same gross value.
    """
    held = await open_holdings(session, [portfolio.id])
    newest = newest_day(held) or utc_now().date()
    day = _within_lookback(as_of_date, newest)
    ranked = _ranked(held if day == newest else await _marked_on(session, held, day))
    facts = await company_facts(session, {h.symbol for h in ranked[:limit]})
    gross = sum(abs(h.value) for h in ranked)
    rows = [_row(h, gross, facts.get(h.symbol, NO_FACTS)) for h in ranked[:limit]]
    return {
        "meta": {
            "as_of": utc_text(utc_now()),
            "requested": {
                "portfolio_id": str(portfolio.id),
                "limit": limit,
                "sort_by": sort_by,
                "as_of_date": day_text(as_of_date),
            },
            "applied": {"limit": len(rows), "sort_by": sort_by, "as_of_date": day.isoformat()},
            "limits": {"max_limit": MAX_LIMIT, "max_lookback_days": MAX_LOOKBACK_DAYS},
            "rows_returned": len(rows),
            "truncated": len(ranked) > limit,
            "schema_version": SCHEMA_VERSION,
        },
        "data": rows,
        "coverage_percent": round(_percent(sum(abs(h.value) for h in ranked[:limit]), gross), 2),
        "total_positions": len(ranked),
    }


def _within_lookback(asked: date | None, newest: date) -> date:
    oldest = newest - timedelta(days=MAX_LOOKBACK_DAYS)
    return newest if asked is None else min(max(asked, oldest), newest)


async def _marked_on(session: AsyncSession, held: Sequence[Holding], day: date) -> list[Holding]:
    """The holdings entered by `day`, at its prices; private assets keep their book value."""
    entered = [h for h in held if h.entry_date <= day]
    priced = {h.symbol for h in entered if h.price_date is not None}
    rows = await session.execute(
        statement("data/marks_on_day"), {"symbols": sorted(priced), "day": day}
    )
    marks = {row.symbol: row.close for row in rows}
    return [h if h.price_date is None else replace(h, price=marks.get(h.symbol)) for h in entered]


def _ranked(held: Sequence[Holding]) -> list[Holding]:
    return sorted(held, key=lambda h: (-abs(h.value), h.symbol, h.id))


def _row(holding: Holding, gross: float, facts: CompanyFacts) -> TopPosition:
    return {
        "symbol": holding.symbol,
        "name": facts["company_name"] or holding.symbol,
        "qty": holding.quantity,
        "value": round(holding.value, 2),
        "weight": round(_percent(abs(holding.value), gross), 4),
        "sector": facts["sector"],
    }


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else 0.0
