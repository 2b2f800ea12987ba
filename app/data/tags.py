"""Tags of positions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.holdings import Holding, open_holdings
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
    session: AsyncSession, portfolio_ids: Sequence[UUID]
) -> Mapping[str, list[Tag]]:
    """Position id -> its tags, in their owner's order; positions without any are absent."""
    rows = await _rows(session, portfolio_ids)
    return _by_position(({"id": r[0], "name": r[1], "color": r[2]}, r[4]) for r in rows)


async def described_tags_by_position(
    session: AsyncSession, portfolio_ids: Sequence[UUID]
) -> Mapping[str, list[DescribedTag]]:
    """Position id -> its tags with their descriptions; positions without any are absent."""
    rows = await _rows(session, portfolio_ids)
    return _by_position(
        ({"id": r[0], "name": r[1], "color": r[2], "description": r[3]}, r[4]) for r in rows
    )


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


def _by_position(carried: Iterable[tuple[_AnyTag, list[str]]]) -> Mapping[str, list[_AnyTag]]:
    found: defaultdict[str, list[_AnyTag]] = defaultdict(list)
    for tag, positions in carried:
        for position in positions:
            found[position].append(tag)
    return found


_TagRow = tuple[str, str, str | None, str | None, list[str]]


async def _rows(session: AsyncSession, portfolio_ids: Sequence[UUID]) -> list[_TagRow]:
    rows = await session.execute(
        statement("data/tagged_positions"), {"portfolios": list(portfolio_ids)}
    )
    return [(r[0], r[1], r[2], r[3], r[4]) for r in rows]


def _used_tag(row: _TagRow, open_: Mapping[str, Holding]) -> UsedTag:
    carriers = sorted((open_[id_].symbol, id_) for id_ in row[4] if id_ in open_)
    return {
        "id": row[0],
        "name": row[1],
        "color": row[2],
        "description": row[3],
        "position_count": len(carriers),
        "positions": [{"position_id": id_, "symbol": symbol} for symbol, id_ in carriers],
    }
