"""The data provider's market betas, of a portfolio and beside our own of each position."""

from datetime import date
from typing import Any

from sqlalchemy import ARRAY, String, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, envelope, nothing
from app.analytics.snapshot_risk import newest_snapshot_with
from app.holdings import Holding, open_holdings
from app.models import CompanyProfile, PortfolioSnapshot
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_NO_BETA = Gap("no_calculation_available", "NO_BETA_DATA", "No provider beta has been computed")
_NO_POSITION_BETA = Gap(
    "no_calculation_available", "NO_BETA_DATA", "No open position has a beta of either kind"
)


class ProviderBeta(TypedDict):
    """Profiles' betas weighted by value over equity; open positions of which the profile states a
    beta, and their share of all in percent. For the others our own beta stands in."""

    beta_provider_1y: float
    positions_with_beta: int
    positions_total: int
    coverage_percentage: float


class BetaProvider1y(Envelope):
    """The newest provider beta."""

    data: ProviderBeta | None


class PositionBetas(TypedDict):
    """The provider's beta (`market_beta`), our regression on SPY, and ours less the provider's."""

    symbol: str
    position_id: str
    market_beta: float | None
    calculated_beta: float | None
    beta_r_squared: float | None
    calculation_date: str | None
    observations: int | None
    beta_difference: float | None


class BetaComparison(Envelope):
    """Both betas of every open position, by symbol."""

    positions: list[PositionBetas]


_WITH_BETA = select(CompanyProfile.symbol).where(
    CompanyProfile.symbol == any_(bindparam("symbols", type_=ARRAY(String))),
    CompanyProfile.beta != 0,
)


async def beta_provider_1y(session: AsyncSession, portfolio: OwnedPortfolio) -> BetaProvider1y:
    """Market beta from the data provider's betas."""
    column = PortfolioSnapshot.beta_provider_1y
    row = await newest_snapshot_with(session, portfolio, column)
    if row is None:
        return {**await nothing(session, portfolio, _NO_BETA), "data": None}
    held = [holding.symbol for holding in await open_holdings(session, [portfolio.id])]
    known = set(await session.scalars(_WITH_BETA, {"symbols": sorted(set(held))}))
    covered = sum(symbol in known for symbol in held)
    head = envelope(
        portfolio,
        row[0],
        calculation_method="equity_weighted_average_of_company_profile_betas",
        data_source="company_profiles",
        typical_period="1_year",
    )
    data: ProviderBeta = {
        "beta_provider_1y": float(row[1]),
        "positions_with_beta": covered,
        "positions_total": len(held),
        "coverage_percentage": round(100 * covered / len(held), 2) if held else 0.0,
    }
    return {**head, "data": data}


async def beta_comparison(session: AsyncSession, portfolio: OwnedPortfolio) -> BetaComparison:
    """Computed and provided beta of each position."""
    held = await open_holdings(session, [portfolio.id])
    asked = {
        "ids": [holding.id for holding in held],
        "symbols": [holding.symbol for holding in held],
    }
    rows = (await session.execute(statement("analytics/position_betas"), asked)).all()
    positions = [_betas(holding, row) for holding, row in zip(held, rows, strict=True)]
    provided = sum(one["market_beta"] is not None for one in positions)
    calculated = sum(one["calculated_beta"] is not None for one in positions)
    if not provided and not calculated:
        return {**await nothing(session, portfolio, _NO_POSITION_BETA), "positions": []}
    days: list[date] = [row.calc_date for row in rows if row.calc_date is not None]
    head = envelope(
        portfolio,
        max(days, default=None),
        total_positions=len(positions),
        positions_with_market_beta=provided,
        positions_with_calculated_beta=calculated,
    )
    return {**head, "positions": positions}


def _betas(holding: Holding, row: Any) -> PositionBetas:
    known = row.calculated is not None and row.provided is not None
    return {
        "symbol": holding.symbol,
        "position_id": str(holding.id),
        "market_beta": row.provided,
        "calculated_beta": row.calculated,
        "beta_r_squared": row.r_squared,
        "calculation_date": row.calc_date.isoformat() if row.calc_date else None,
        "observations": row.observations,
        "beta_difference": row.calculated - row.provided if known else None,
    }
