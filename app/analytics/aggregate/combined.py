"""Which portfolios are aggregated, and what each one weighs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NotRequired
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.errors import NotFoundError
from app.ownership import OwnedPortfolio, owned_portfolios

NO_PORTFOLIOS = "No portfolios found"
NOT_POSITIVE = "Total portfolio value is not positive"


class Availability(TypedDict):
    """The head of an answer that may have no figures; then `message` says why."""

    available: bool
    net_asset_value: float
    portfolio_count: int
    message: NotRequired[str]


@dataclass(frozen=True)
class CombinedPortfolios:
    """Portfolios of one user, oldest first."""

    portfolios: Sequence[OwnedPortfolio]

    @property
    def ids(self) -> list[UUID]:
        """Their ids, in order."""
        return [portfolio.id for portfolio in self.portfolios]

    @cached_property
    def equity(self) -> float:
        """The sum of their equities in dollars."""
        return round(sum(portfolio.equity for portfolio in self.portfolios), 2)

    @cached_property
    def weights(self) -> list[float]:
        """Each one's share of the equity, in order; equal shares where there is none."""
        count = len(self.portfolios)
        if self.equity > 0:
            return [portfolio.equity / self.equity for portfolio in self.portfolios]
        return [1.0 / max(count, 1)] * count

    def mean(self, figures: Mapping[UUID, float | None]) -> float | None:
        """The weighted mean of a figure over the portfolios that have it; None where none has."""
        known = [
            (weight, figure)
            for portfolio, weight in zip(self.portfolios, self.weights, strict=True)
            if (figure := figures.get(portfolio.id)) is not None
        ]
        total = sum(weight for weight, _ in known)
        return sum(weight * figure for weight, figure in known) / total if total else None


def available(combined: CombinedPortfolios) -> Availability:
    """The head of an answer with figures."""
    return {
        "available": True,
        "net_asset_value": combined.equity,
        "portfolio_count": len(combined.portfolios),
    }


def unavailable(combined: CombinedPortfolios, message: str) -> Availability:
    """The head of an answer without figures. Where there is no portfolio, that is the reason."""
    reason = message if combined.portfolios else NO_PORTFOLIOS
    return {**available(combined), "available": False, "message": reason}


async def combined_portfolios(
    session: AsyncSession, user_id: UUID, portfolio_ids: Sequence[UUID] | None
) -> CombinedPortfolios:
    """The user's portfolios of these ids, or all active ones where no id is given.

    Raises:
        NotFoundError: one of the ids is no live portfolio of the user.
    """
    owned = await owned_portfolios(session, user_id)
    if not portfolio_ids:
        return CombinedPortfolios([portfolio for portfolio in owned if portfolio.is_active])
    wanted = set(portfolio_ids)
    if wanted - {portfolio.id for portfolio in owned}:
        raise NotFoundError("Portfolio not found")
    return CombinedPortfolios([portfolio for portfolio in owned if portfolio.id in wanted])
