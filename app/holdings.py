"""What portfolios hold now, on one rule for every endpoint and tool that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.sql_files import statement

_OPTION_TYPES = frozenset({"LC", "LP", "SC", "SP"})
_OPTION_MULTIPLIER = 100.0


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position with its mark.

    Attributes:
        quantity: negative for shorts (SHORT, SC, SP).
        price: dollars per unit: the last close, or a private asset's book value; None where
            nothing is known (an option or listing that never had a price).
        price_date: the day of that close; None for private assets.
    """

    id: UUID
    portfolio_id: UUID
    symbol: str
    position_type: str
    investment_class: str
    investment_subtype: str | None
    underlying_symbol: str | None
    quantity: float
    entry_price: float
    entry_date: date
    strike_price: float | None
    expiration_date: date | None
    price: float | None
    price_date: date | None

    @property
    def multiplier(self) -> float:
        """100 for options, else 1."""
        return _OPTION_MULTIPLIER if self.position_type in _OPTION_TYPES else 1.0

    @property
    def value(self) -> float:
        """Signed market value in dollars, negative for shorts; 0 where there is no price."""
        return self.quantity * self.multiplier * self.price if self.price else 0.0

    @property
    def cost(self) -> float:
        """What was paid, signed like the value."""
        return self.quantity * self.multiplier * self.entry_price

    @property
    def unrealized_pnl(self) -> float:
        """Value less cost; 0 where there is no price."""
        return self.value - self.cost if self.price is not None else 0.0


async def open_holdings(session: AsyncSession, portfolio_ids: Sequence[UUID]) -> list[Holding]:
    """The open positions of portfolios, by symbol and id: not deleted, not exited, not expired."""
    rows = await session.execute(statement("open_holdings"), {"portfolios": list(portfolio_ids)})
    return [Holding(*row) for row in rows]
