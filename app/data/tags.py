"""Tags of positions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.holdings import Holding, open_holdings
from app.json_response import json_row
from app.ownership import owned_portfolio, owned_portfolios
from app.sql_files import statement


class Tag(TypedDict):
    """A tag as a holding shows it."""

    id: str
    name: str
    color: str | None


class DescribedTag(Tag):
    """A tag with what its owner says of it."""

    description: str | None


_AnyTag = TypeVar("_AnyTag", bound=Tag)


class TaggedPosition(TypedDict):
    """An open position that carries a tag."""

    position_id: str
    symbol: str


class UsedTag(DescribedTag):
    """A tag with the open positions that carry it."""

    position_count: int
    positions: list[TaggedPosition]


class PositionTags(TypedDict):
    """The tags in use, in their owner's order."""

    portfolio_id: str | None
    tags: list[UsedTag]
    total: int


async def tags_by_position(
    session: AsyncSession, portfolio_ids: Sequence[UUID], shape: type[_AnyTag]
) -> Mapping[str, list[_AnyTag]]:
    """Position id -> its tags, in their owner's order; positions without any are absent."""
    found: defaultdict[str, list[_AnyTag]] = defaultdict(list)
    for row in await _rows(session, portfolio_ids):
        tag = json_row(shape, row)
        for position in row.positions:
            found[position].append(tag)
    return found


async def position_tags(
    session: AsyncSession, user_id: UUID, portfolio_id: UUID | None = None
) -> PositionTags:
    """The tags on the open positions of one portfolio of the user, or of all live ones.

    Raises:
        NotFoundError: the portfolio is not the user's.
    """
    if portfolio_id is not None:
        portfolios = [(await owned_portfolio(session, user_id, portfolio_id)).id]
    else:
        portfolios = [p.id for p in await owned_portfolios(session, user_id)]
    open_ = {str(h.id): h for h in await open_holdings(session, portfolios)}
    tags = [_used_tag(row, open_) for row in await _rows(session, portfolios)]
    return {
        "portfolio_id": str(portfolio_id) if portfolio_id else None,
        "tags": tags,
        "total": len(tags),
    }


async def _rows(session: AsyncSession, portfolio_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    asked = {"portfolios": list(portfolio_ids)}
    return (await session.execute(statement("data/tagged_positions"), asked)).all()


def _used_tag(row: Row[Any], open_: Mapping[str, Holding]) -> UsedTag:
    carriers = sorted((open_[id_].symbol, id_) for id_ in row.positions if id_ in open_)
    return {
        **json_row(DescribedTag, row),
        "position_count": len(carriers),
        "positions": [{"position_id": id_, "symbol": symbol} for symbol, id_ in carriers],
    }
