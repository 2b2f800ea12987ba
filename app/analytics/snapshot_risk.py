"""Volatility and market beta, as the newest snapshot that has them says."""

from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, envelope, nothing
from app.json_response import json_row
from app.models import PortfolioSnapshot
from app.ownership import OwnedPortfolio

_NO_VOLATILITY = Gap(
    "no_calculation_available", "NO_VOLATILITY_DATA", "No volatility has been computed"
)
_NO_BETA = Gap("no_calculation_available", "NO_BETA_DATA", "No market beta has been computed")


class VolatilityMetrics(TypedDict):
    """Decimals per year; the trend is increasing, decreasing or stable; the percentile is the share
    of the past year's values below today's."""

    realized_volatility_21d: float
    realized_volatility_63d: float | None
    expected_volatility_21d: float | None
    volatility_trend: str | None
    volatility_percentile: float | None


class Volatility(Envelope):
    """The newest volatility."""

    data: VolatilityMetrics | None


class CalculatedBeta(TypedDict):
    """Regression on SPY over some 120 calendar days, of each position, weighted by value over
    equity; the fewest observations of any."""

    beta_calculated_90d: float
    beta_calculated_90d_r_squared: float | None
    beta_calculated_90d_observations: int | None


class BetaCalculated90d(Envelope):
    """The newest computed market beta."""

    data: CalculatedBeta | None


class WeightedBeta(TypedDict):
    """The same beta under the names of an older endpoint; the direct one is not computed."""

    market_beta_weighted: float
    market_beta_r_squared: float | None
    market_beta_observations: int | None
    market_beta_direct: float | None


class _StoredBeta(CalculatedBeta):
    beta_portfolio_regression: float | None


class MarketBeta(Envelope):
    """The newest computed market beta, by its older names."""

    data: WeightedBeta | None


async def newest_snapshot_with(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    column: InstrumentedAttribute[Any],
    *others: InstrumentedAttribute[Any],
) -> Any | None:
    """The date, `column` and `others` of the newest snapshot in which `column` has a value."""
    query = (
        select(PortfolioSnapshot.snapshot_date, column, *others)
        .where(PortfolioSnapshot.portfolio_id == portfolio.id, column.is_not(None))
        .order_by(PortfolioSnapshot.snapshot_date.desc())
        .limit(1)
    )
    return (await session.execute(query)).one_or_none()


async def volatility(session: AsyncSession, portfolio: OwnedPortfolio) -> Volatility:
    """Realised and expected volatility."""
    windows = {"forecast_model": "HAR", "trading_day_windows": "21d, 63d"}
    found: Volatility = await _newest(
        session, portfolio, _NO_VOLATILITY, VolatilityMetrics, **windows
    )
    return found


async def beta_calculated_90d(
    session: AsyncSession, portfolio: OwnedPortfolio
) -> BetaCalculated90d:
    """Market beta by regression of the positions."""
    found: BetaCalculated90d = await _newest(
        session,
        portfolio,
        _NO_BETA,
        CalculatedBeta,
        calculation_method="equity_weighted_average_of_position_betas",
        model_type="single_factor_ols",
        window_days=90,
    )
    return found


async def market_beta(session: AsyncSession, portfolio: OwnedPortfolio) -> MarketBeta:
    """Market beta by regression, by its older names."""
    method = {"calculation_method": "equity_weighted_average", "model_type": "single_factor_ols"}
    found: MarketBeta = await _newest(session, portfolio, _NO_BETA, _StoredBeta, **method)
    if stored := cast("_StoredBeta | None", found["data"]):
        found["data"] = {
            "market_beta_weighted": stored["beta_calculated_90d"],
            "market_beta_r_squared": stored["beta_calculated_90d_r_squared"],
            "market_beta_observations": stored["beta_calculated_90d_observations"],
            "market_beta_direct": stored["beta_portfolio_regression"],
        }
    return found


async def _newest(
    session: AsyncSession, portfolio: OwnedPortfolio, gap: Gap, shape: type, **metadata: Any
) -> Any:
    """The answer of the newest snapshot with the first field of `shape`, which has its columns."""
    columns = [getattr(PortfolioSnapshot, name) for name in shape.__annotations__]
    row = await newest_snapshot_with(session, portfolio, *columns)
    if row is None:
        return {**await nothing(session, portfolio, gap), "data": None}
    return {**envelope(portfolio, row[0], **metadata), "data": json_row(shape, row)}
