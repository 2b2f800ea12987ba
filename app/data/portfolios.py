"""Lists of a user's portfolios."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.errors import NotFoundError
from app.holdings import Holding, open_holdings
from app.json_response import json_value, utc_text
from app.ownership import OwnedPortfolio, owned_portfolios
from app.sql_files import statement


class ListedPortfolio(TypedDict):
    """A portfolio of the list; dollars. `total_market_value` is signed: shorts subtract."""

    id: str
    name: str
    net_asset_value: float
    total_value: float
    equity_balance: float
    total_market_value: float
    created_at: str
    updated_at: str
    position_count: int


class PortfolioRecord(TypedDict):
    """A portfolio with its account; dollars, the value that of the newest snapshot."""

    id: str
    user_id: str
    name: str
    account_name: str
    account_type: str
    description: str | None
    currency: str
    equity_balance: float | None
    is_active: bool
    created_at: str
    updated_at: str
    deleted_at: str | None
    position_count: int
    net_asset_value: float
    total_value: float


class PortfoliosOverview(TypedDict):
    """The portfolios of a user; the sums are those of the active ones."""

    portfolios: list[PortfolioRecord]
    total_count: int
    active_count: int
    net_asset_value: float
    total_value: float


def net_asset_value(portfolio: OwnedPortfolio, market_value: float) -> float:
    """A portfolio's equity, or what it holds where no equity was ever recorded."""
    return market_value if portfolio.equity_balance is None else portfolio.equity


async def list_portfolios(session: AsyncSession, user_id: UUID) -> list[ListedPortfolio]:
    """The user's live portfolios, oldest first, inactive ones too."""
    portfolios = await owned_portfolios(session, user_id)
    held = await open_holdings(session, [p.id for p in portfolios])
    counts, values = Counter(h.portfolio_id for h in held), _market_values(held)
    return [_listed(p, counts[p.id], values.get(p.id, 0.0)) for p in portfolios]


async def portfolios_overview(
    session: AsyncSession, user_id: UUID, *, include_inactive: bool = False
) -> PortfoliosOverview:
    """The user's live portfolios, oldest first; only active ones unless asked otherwise."""
    records = await _records(session, user_id, include_inactive=include_inactive)
    active = [record for record in records if record["is_active"]]
    value = sum(record["net_asset_value"] for record in active)
    return {
        "portfolios": records,
        "total_count": len(records),
        "active_count": len(active),
        "net_asset_value": value,
        "total_value": value,
    }


async def portfolio_record(
    session: AsyncSession, user_id: UUID, portfolio_id: UUID
) -> PortfolioRecord:
    """One portfolio of the user.

    Raises:
        NotFoundError: there is none of this id, it is deleted, or it is somebody else's.
    """
    records = await _records(session, user_id, include_inactive=True, portfolio_id=portfolio_id)
    if not records:
        raise NotFoundError("Portfolio not found")
    return records[0]


async def _records(
    session: AsyncSession,
    user_id: UUID,
    *,
    include_inactive: bool,
    portfolio_id: UUID | None = None,
) -> list[PortfolioRecord]:
    wanted = {"user_id": user_id, "inactive_too": include_inactive, "portfolio_id": portfolio_id}
    rows: Sequence[Row[Any]] = (await session.execute(statement("data/portfolios"), wanted)).all()
    held = await open_holdings(session, [row.id for row in rows])
    counts = Counter(h.portfolio_id for h in held)
    return [_record(row, counts[row.id]) for row in rows]


def _record(row: Row[Any], positions: int) -> PortfolioRecord:
    # A day without open positions stores a value of 0; the capital is then in the balance.
    value = float(row.snapshot_value or row.equity_balance or 0)
    record: Any = {name: json_value(column) for name, column in row._mapping.items()}
    del record["snapshot_value"]
    record |= {"position_count": positions, "net_asset_value": value, "total_value": value}
    found: PortfolioRecord = record
    return found


def _market_values(held: Iterable[Holding]) -> dict[UUID, float]:
    values: dict[UUID, float] = {}
    for holding in held:
        values[holding.portfolio_id] = values.get(holding.portfolio_id, 0.0) + holding.value
    return values


def _listed(portfolio: OwnedPortfolio, positions: int, market_value: float) -> ListedPortfolio:
    value = net_asset_value(portfolio, market_value)
    return {
        "id": str(portfolio.id),
        "name": portfolio.name,
        "net_asset_value": value,
        "total_value": value,
        "equity_balance": portfolio.equity,
        "total_market_value": market_value,
        "created_at": utc_text(portfolio.created_at),
        "updated_at": utc_text(portfolio.updated_at),
        "position_count": positions,
    }
