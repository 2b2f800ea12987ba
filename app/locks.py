"""Locks on things that no unique constraint guards."""

from sqlalchemy import Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession


async def hold(session: AsyncSession, *things: str) -> None:
    """Wait until nobody else holds these, and hold them until the transaction ends. What is read
    by later statements includes all that was written under the locks before."""
    # In one order, so that two who want the same ones do not wait for each other.
    thing = func.unnest(literal(sorted(things), ARRAY(Text))).column_valued("thing")
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(thing, 0))))
