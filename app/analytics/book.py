"""What a portfolio holds now and the equity behind it, for the figures that are computed live."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.holdings import Holding, open_holdings
from app.models import PortfolioSnapshot
from app.ownership import OwnedPortfolio


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest snapshot, as far as live figures need it."""

    snapshot_date: date
    equity_balance: Decimal | None
    num_positions: int
    target_price_return_eoy: Decimal | None
    target_price_return_next_year: Decimal | None
    target_price_downside_return: Decimal | None
    target_price_coverage_pct: Decimal | None
    target_price_positions_count: int | None
    target_price_total_positions: int | None
    target_price_last_updated: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Book:
    """Open positions with their marks.

    Attributes:
        equity: dollars; None where none was ever recorded.
        day: the newest day that prices or snapshots reach; today for a book without either.
    """

    holdings: list[Holding]
    snapshot: Snapshot | None
    equity: float | None
    day: date


_NEWEST = (
    select(*[getattr(PortfolioSnapshot, name) for name in Snapshot.__slots__])
    .where(PortfolioSnapshot.portfolio_id == bindparam("portfolio"))
    .order_by(PortfolioSnapshot.snapshot_date.desc())
    .limit(1)
)


async def current_book(session: AsyncSession, portfolio: OwnedPortfolio) -> Book:
    """The portfolio as it stands, in two statements."""
    holdings = await open_holdings(session, [portfolio.id])
    row = (await session.execute(_NEWEST, {"portfolio": portfolio.id})).one_or_none()
    snapshot = Snapshot(*row) if row else None
    return Book(holdings, snapshot, _equity(portfolio, snapshot), _day(holdings, snapshot))


def gross_by_symbol(holdings: Iterable[Holding]) -> dict[str, float]:
    """Gross dollars of each symbol that has a value, all of its lots together; largest first."""
    gross: dict[str, float] = {}
    for holding in holdings:
        if holding.value:
            gross[holding.symbol] = gross.get(holding.symbol, 0.0) + abs(holding.value)
    return dict(sorted(gross.items(), key=lambda item: (-item[1], item[0])))


def _equity(portfolio: OwnedPortfolio, snapshot: Snapshot | None) -> float | None:
    """What the newest snapshot says; a day without any position stores zero, so then the
    portfolio's own figure, which keeps the capital."""
    stored = portfolio.equity_balance
    if snapshot is not None and snapshot.num_positions and snapshot.equity_balance is not None:
        stored = snapshot.equity_balance
    return None if stored is None else float(stored)


def _day(holdings: Iterable[Holding], snapshot: Snapshot | None) -> date:
    known = [holding.price_date for holding in holdings if holding.price_date is not None]
    if snapshot is not None:
        known.append(snapshot.snapshot_date)
    return max(known, default=datetime.now(UTC).date())
