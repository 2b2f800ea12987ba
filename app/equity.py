"""The equity that a user declares for a portfolio."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Portfolio


async def declare_equity(session: AsyncSession, portfolio_id: UUID, equity: Decimal) -> None:
    """Set a portfolio's equity in dollars.

    It is the starting capital of a portfolio that was never calculated. Once there are snapshots
    the next calculated day rolls on from them and replaces it.
    """
    await session.execute(
        update(Portfolio).where(Portfolio.id == portfolio_id).values(equity_balance=equity)
    )
    await session.commit()
