"""Positions one by one, with their cost."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.data.owned_positions import owned_positions
from app.data.profiles import NO_FACTS, CompanyFacts, company_facts
from app.data.tags import DescribedTag, tags_by_position
from app.errors import BadRequestError
from app.holdings import Holding, open_holdings
from app.json_response import day_text
from app.ownership import owned_portfolio
from app.sql_files import statement


class PositionDetails(TypedDict):
    """A position; dollars, cost and value negative for shorts.

    An open one without a price has no current price, a value of 0 and no profit. A closed one
    shows the price of its exit and is worth nothing any more. The percentage is of the cost.
    """

    id: str
    portfolio_id: str
    symbol: str
    company_name: str | None
    sector: str | None
    industry: str | None
    position_type: str
    investment_class: str
    investment_subtype: str | None
    quantity: float
    entry_date: str
    entry_price: float
    cost_basis: float
    current_price: float | None
    market_value: float
    unrealized_pnl: float
    unrealized_pnl_percent: float
    strike_price: float | None
    expiration_date: str | None
    underlying_symbol: str | None
    is_closed: bool
    tags: list[DescribedTag]


class DetailsSummary(TypedDict):
    """Sums over the positions listed; the cost without signs, of open ones only."""

    total_positions: int
    total_cost_basis: float
    total_market_value: float
    total_unrealized_pnl: float


class PositionsDetails(TypedDict):
    """Positions by symbol and id."""

    positions: list[PositionDetails]
    summary: DetailsSummary


async def positions_details(
    session: AsyncSession,
    user_id: UUID,
    *,
    portfolio_id: UUID | None = None,
    position_ids: Sequence[UUID] | None = None,
    include_closed: bool = False,
) -> PositionsDetails:
    """The positions of a portfolio, or the named ones, or the named ones of the portfolio.

    Closed ones, exited or expired, only with `include_closed`.

    Raises:
        BadRequestError: neither portfolio nor positions are named.
        NotFoundError: portfolio or position are not the user's.
    """
    portfolios = await _portfolios(session, user_id, portfolio_id, position_ids)
    open_ = await open_holdings(session, portfolios)
    closed = await _closed(session, portfolios, open_) if include_closed else []
    chosen = sorted([*open_, *closed], key=lambda h: (h.symbol, h.id))
    if position_ids is not None:
        chosen = [h for h in chosen if h.id in set(position_ids)]
    facts = await company_facts(session, {h.symbol for h in chosen})
    tags = await tags_by_position(session, portfolios, DescribedTag)
    gone = {h.id for h in closed}
    rows = [
        _details(h, h.id in gone, facts.get(h.symbol, NO_FACTS), tags.get(str(h.id), []))
        for h in chosen
    ]
    return {"positions": rows, "summary": _summary(rows)}


async def _portfolios(
    session: AsyncSession,
    user_id: UUID,
    portfolio_id: UUID | None,
    position_ids: Sequence[UUID] | None,
) -> list[UUID]:
    if portfolio_id is None and not position_ids:
        raise BadRequestError("Either portfolio_id or position_ids required")
    if portfolio_id is not None:
        await owned_portfolio(session, user_id, portfolio_id)
    if not position_ids:
        return [portfolio_id] if portfolio_id is not None else []
    owned = await owned_positions(session, user_id, position_ids)
    found = {position.portfolio_id for position in owned.values()}
    return sorted(found if portfolio_id is None else found & {portfolio_id})


async def _closed(
    session: AsyncSession, portfolios: Sequence[UUID], open_: Sequence[Holding]
) -> list[Holding]:
    rows = await session.execute(
        statement("data/closable_positions"), {"portfolios": list(portfolios)}
    )
    still = {h.id for h in open_}
    return [Holding(*row) for row in rows if row.id not in still]


def _details(
    holding: Holding, closed: bool, facts: CompanyFacts, tags: list[DescribedTag]
) -> PositionDetails:
    cost = holding.cost or 0.0  # never -0.0
    gain = 0.0 if closed else holding.unrealized_pnl
    return {
        "id": str(holding.id),
        "portfolio_id": str(holding.portfolio_id),
        "symbol": holding.symbol,
        **facts,
        "position_type": holding.position_type,
        "investment_class": holding.investment_class,
        "investment_subtype": holding.investment_subtype,
        "quantity": holding.quantity,
        "entry_date": holding.entry_date.isoformat(),
        "entry_price": holding.entry_price,
        "cost_basis": cost,
        "current_price": holding.price,
        "market_value": 0.0 if closed else holding.value,
        "unrealized_pnl": gain,
        "unrealized_pnl_percent": 100 * gain / abs(cost) if cost else 0.0,
        "strike_price": holding.strike_price,
        "expiration_date": day_text(holding.expiration_date),
        "underlying_symbol": holding.underlying_symbol,
        "is_closed": closed,
        "tags": tags,
    }


def _summary(rows: Sequence[PositionDetails]) -> DetailsSummary:
    return {
        "total_positions": len(rows),
        "total_cost_basis": sum(abs(r["cost_basis"]) for r in rows if not r["is_closed"]),
        "total_market_value": sum(r["market_value"] for r in rows),
        "total_unrealized_pnl": sum(r["unrealized_pnl"] for r in rows),
    }
