"""Positions by id, where a request names them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFoundError
from app.sql_files import statement


class OwnedPosition(NamedTuple):
    """Where a position is, and of what."""

    portfolio_id: UUID
    symbol: str


async def owned_positions(
    session: AsyncSession, user_id: UUID, position_ids: Sequence[UUID]
) -> Mapping[UUID, OwnedPosition]:
    """The named positions of the user, open or closed, in the order of their names.

    Raises:
        NotFoundError: one of them does not exist, is deleted, or is somebody else's.
    """
    rows = await session.execute(
        statement("data/owned_positions"), {"positions": list(position_ids), "user_id": user_id}
    )
    found = {row.id: OwnedPosition(row.portfolio_id, row.symbol) for row in rows}
    if found.keys() != set(position_ids):
        raise NotFoundError("Position not found")
    return {id_: found[id_] for id_ in position_ids}
