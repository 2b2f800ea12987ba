"""The figures of a portfolio's front page, from what it holds now."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.book import Book, Snapshot, current_book
from app.holdings import Holding
from app.json_response import utc_text
from app.ownership import OwnedPortfolio
from app.sql_files import statement


class Exposures(TypedDict):
    """Dollars, shorts negative; percentages are of equity and positive but for the net one."""

    long_exposure: float
    short_exposure: float
    gross_exposure: float
    net_exposure: float
    long_percentage: float
    short_percentage: float
    gross_percentage: float
    net_percentage: float


class ProfitAndLoss(TypedDict):
    """Dollars. Year and month are those of the newest snapshot."""

    total_pnl: float
    unrealized_pnl: float
    realized_pnl: float
    ytd_pnl: float
    mtd_pnl: float


class PositionCount(TypedDict):
    """Open positions; options are neither long nor short here."""

    total_positions: int
    long_count: int
    short_count: int
    option_count: int


class TargetReturns(TypedDict):
    """What the price targets promise, as the newest snapshot has it."""

    expected_return_eoy: float | None
    expected_return_next_year: float | None
    downside_return: float | None
    coverage_pct: float | None
    positions_with_targets: int | None
    total_positions: int | None
    last_updated: str | None


class Overview(TypedDict):
    """A portfolio now. Leverage is gross exposure over equity; cash below 0 is borrowed."""

    portfolio_id: str
    equity_balance: float | None
    net_asset_value: float
    total_value: float
    cash_balance: float
    leverage: float
    exposures: Exposures
    pnl: ProfitAndLoss
    position_count: PositionCount
    target_returns: TargetReturns | None
    last_updated: str


async def overview(session: AsyncSession, portfolio: OwnedPortfolio) -> Overview:
    """Exposures, profit and counts of what is held now."""
    book = await current_book(session, portfolio)
    net = sum(holding.value for holding in book.holdings)
    value = net if book.equity is None else book.equity
    exposures = _exposures(book.holdings, value)
    newest = book.snapshot.created_at if book.snapshot else portfolio.updated_at
    return {
        "portfolio_id": str(portfolio.id),
        "equity_balance": book.equity,
        "net_asset_value": _cents(value),
        "total_value": _cents(value),
        "cash_balance": _cents(value - net),
        "leverage": round(exposures["gross_exposure"] / value, 4) if value > 0 else 0.0,
        "exposures": exposures,
        "pnl": await _profit(session, portfolio, book),
        "position_count": _count(book.holdings),
        "target_returns": _target_returns(book.snapshot),
        "last_updated": utc_text(newest),
    }


def _exposures(holdings: Sequence[Holding], value: float) -> Exposures:
    long = sum(max(0.0, holding.value) for holding in holdings)
    short = sum(min(0.0, holding.value) for holding in holdings)
    share = 100 / value if value > 0 else 0.0
    return {
        "long_exposure": _cents(long),
        "short_exposure": _cents(short),
        "gross_exposure": _cents(long - short),
        "net_exposure": _cents(long + short),
        "long_percentage": round(long * share, 2),
        "short_percentage": round(abs(short) * share, 2),
        "gross_percentage": round((long - short) * share, 2),
        "net_percentage": round((long + short) * share, 2),
    }


async def _profit(session: AsyncSession, portfolio: OwnedPortfolio, book: Book) -> ProfitAndLoss:
    rows = await session.execute(statement("analytics/profit"), {"portfolio": portfolio.id})
    realized, ytd, mtd = rows.one()
    unrealized = sum(holding.unrealized_pnl for holding in book.holdings)
    return {
        "total_pnl": _cents(unrealized + realized),
        "unrealized_pnl": _cents(unrealized),
        "realized_pnl": _cents(realized),
        "ytd_pnl": _cents(ytd),
        "mtd_pnl": _cents(mtd),
    }


def _count(holdings: Sequence[Holding]) -> PositionCount:
    options = sum(holding.multiplier != 1 for holding in holdings)
    short = sum(holding.multiplier == 1 and holding.quantity < 0 for holding in holdings)
    return {
        "total_positions": len(holdings),
        "long_count": len(holdings) - options - short,
        "short_count": short,
        "option_count": options,
    }


def _target_returns(snapshot: Snapshot | None) -> TargetReturns | None:
    """None until somebody has set a price target."""
    if snapshot is None or snapshot.target_price_last_updated is None:
        return None
    return {
        "expected_return_eoy": _number(snapshot.target_price_return_eoy),
        "expected_return_next_year": _number(snapshot.target_price_return_next_year),
        "downside_return": _number(snapshot.target_price_downside_return),
        "coverage_pct": _number(snapshot.target_price_coverage_pct),
        "positions_with_targets": snapshot.target_price_positions_count,
        "total_positions": snapshot.target_price_total_positions,
        "last_updated": utc_text(snapshot.target_price_last_updated),
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _cents(dollars: float) -> float:
    return round(dollars, 2) + 0.0  # never -0.0
