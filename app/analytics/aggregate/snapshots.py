"""Betas and volatilities as of each portfolio's newest snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.sql_files import statement


@dataclass(frozen=True)
class NewestFigures:
    """By portfolio; one without a snapshot is missing, one without the figure has None.

    Attributes:
        betas: the calculated market beta, else the provider's.
        volatilities: of the last 21 returns, decimals per year.
    """

    betas: Mapping[UUID, float | None]
    volatilities: Mapping[UUID, float | None]


async def newest_figures(session: AsyncSession, portfolio_ids: Sequence[UUID]) -> NewestFigures:
    """Beta and volatility in the newest snapshot of each portfolio."""
    rows = await session.execute(
        statement("analytics/aggregate/newest_snapshots"), {"portfolios": list(portfolio_ids)}
    )
    found = rows.all()
    return NewestFigures(
        {portfolio: beta for portfolio, beta, _ in found},
        {portfolio: volatility for portfolio, _, volatility in found},
    )
