"""Volatility and market beta, as the newest snapshot that has them says."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, envelope, nothing
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
    """The newest snapshot with a volatility of 21 days."""
    row = await newest_snapshot_with(
        session,
        portfolio,
        PortfolioSnapshot.realized_volatility_21d,
        PortfolioSnapshot.realized_volatility_63d,
        PortfolioSnapshot.expected_volatility_21d,
        PortfolioSnapshot.volatility_trend,
        PortfolioSnapshot.volatility_percentile,
    )
    if row is None:
        return {**await nothing(session, portfolio, _NO_VOLATILITY), "data": None}
    day, of_21_days, of_63_days, expected, trend, percentile = row
    data: VolatilityMetrics = {
        "realized_volatility_21d": float(of_21_days),
        "realized_volatility_63d": _number(of_63_days),
        "expected_volatility_21d": _number(expected),
        "volatility_trend": trend,
        "volatility_percentile": _number(percentile),
    }
    head = envelope(portfolio, day, forecast_model="HAR", trading_day_windows="21d, 63d")
    return {**head, "data": data}


async def beta_calculated_90d(
    session: AsyncSession, portfolio: OwnedPortfolio
) -> BetaCalculated90d:
    """The newest snapshot's market beta, from the positions' regressions."""
    row = await _market_beta(session, portfolio)
    if row is None:
        return {**await nothing(session, portfolio, _NO_BETA), "data": None}
    day, beta, r_squared, observations, _ = row
    head = envelope(
        portfolio,
        day,
        calculation_method="equity_weighted_average_of_position_betas",
        model_type="single_factor_ols",
        window_days=90,
    )
    data: CalculatedBeta = {
        "beta_calculated_90d": float(beta),
        "beta_calculated_90d_r_squared": _number(r_squared),
        "beta_calculated_90d_observations": observations,
    }
    return {**head, "data": data}


async def market_beta(session: AsyncSession, portfolio: OwnedPortfolio) -> MarketBeta:
    """The same beta by its older names."""
    row = await _market_beta(session, portfolio)
    if row is None:
        return {**await nothing(session, portfolio, _NO_BETA), "data": None}
    day, beta, r_squared, observations, direct = row
    head = envelope(
        portfolio,
        day,
        calculation_method="equity_weighted_average",
        model_type="single_factor_ols",
    )
    data: WeightedBeta = {
        "market_beta_weighted": float(beta),
        "market_beta_r_squared": _number(r_squared),
        "market_beta_observations": observations,
        "market_beta_direct": _number(direct),
    }
    return {**head, "data": data}


async def _market_beta(session: AsyncSession, portfolio: OwnedPortfolio) -> Any | None:
    return await newest_snapshot_with(
        session,
        portfolio,
        PortfolioSnapshot.beta_calculated_90d,
        PortfolioSnapshot.beta_calculated_90d_r_squared,
        PortfolioSnapshot.beta_calculated_90d_observations,
        PortfolioSnapshot.beta_portfolio_regression,
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
