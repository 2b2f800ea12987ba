"""Whose is it: every reader of a portfolio goes through here."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFoundError, UnauthorizedError
from app.models import Portfolio, User


@dataclass(frozen=True, slots=True)
class OwnedPortfolio:
    """A live portfolio of the caller. `equity_balance` in dollars is what the last batch rolled."""

    id: UUID
    user_id: UUID
    name: str
    account_name: str
    account_type: str
    is_active: bool
    equity_balance: Decimal | None
    created_at: datetime
    updated_at: datetime

    @property
    def equity(self) -> float:
        """The equity as a number, 0 where none is recorded."""
        return float(self.equity_balance or 0)


_COLUMNS = [getattr(Portfolio, name) for name in OwnedPortfolio.__slots__]
_LIVE = select(*_COLUMNS).where(Portfolio.deleted_at.is_(None))
# Built once: to build it takes longer than to run it.
_OWN = _LIVE.where(Portfolio.id == bindparam("portfolio")).subquery()
_CALLERS = (
    select(_OWN)
    .select_from(User)
    .outerjoin(_OWN, _OWN.c.user_id == User.id)
    .where(User.id == bindparam("caller"), User.is_active)
)


async def owned_portfolio(
    session: AsyncSession, user_id: UUID, portfolio_id: UUID
) -> OwnedPortfolio:
    """The caller's portfolio.

    Raises:
        NotFoundError: there is none of this id, it is deleted, or it is somebody else's.
    """
    query = _LIVE.where(Portfolio.id == portfolio_id, Portfolio.user_id == user_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError("Portfolio not found")
    return OwnedPortfolio(*row)


async def callers_portfolio(
    session: AsyncSession, user_id: UUID, portfolio_id: UUID
) -> OwnedPortfolio:
    """The portfolio of a token's user.

    Raises:
        UnauthorizedError: the user is gone or inactive.
        NotFoundError: see `owned_portfolio`.
    """
    asked = {"caller": user_id, "portfolio": portfolio_id}
    row = (await session.execute(_CALLERS, asked)).one_or_none()
    if row is None:
        raise UnauthorizedError("Could not validate credentials")
    if row.id is None:
        raise NotFoundError("Portfolio not found")
    return OwnedPortfolio(*row)


async def owned_portfolios(session: AsyncSession, user_id: UUID) -> list[OwnedPortfolio]:
    """All live portfolios of the caller, oldest first; inactive ones too."""
    query = _LIVE.where(Portfolio.user_id == user_id).order_by(Portfolio.created_at, Portfolio.id)
    return [OwnedPortfolio(*row) for row in await session.execute(query)]
