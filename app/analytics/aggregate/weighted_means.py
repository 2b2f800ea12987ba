"""Figures of the portfolios' snapshots, averaged by equity.

A portfolio that lacks a figure is left out of its mean. For volatility the mean is an upper bound:
what the portfolios' moves cancel of each other is not in it.
"""

from collections.abc import Mapping
from typing import Any, NotRequired
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    NO_PORTFOLIOS,
    CombinedPortfolios,
)
from app.analytics.aggregate.snapshots import newest_figures
from app.sql_files import statement

_METHOD = "weighted_average"


class _Part(TypedDict):
    portfolio_id: str
    account_name: str
    account_type: str
    value: float
    weight: float


class BetaPart(_Part):
    """A portfolio's market beta; `contribution` is beta times weight."""

    beta: float | None
    contribution: float | None


class VolatilityPart(_Part):
    """A portfolio's volatility per year; `contribution` is volatility times weight."""

    volatility: float | None
    contribution: float | None


class _Whole(TypedDict):
    net_asset_value: float
    total_value: float
    portfolio_count: int
    calculation_method: str
    formula: str
    message: NotRequired[str]


class AggregateBeta(_Whole):
    """The equity-weighted mean market beta."""

    aggregate_beta: float | None
    portfolios: list[BetaPart]


class AggregateVolatility(_Whole):
    """The equity-weighted mean volatility, decimals per year."""

    aggregate_volatility: float | None
    portfolios: list[VolatilityPart]
    note: str


class AggregateFactorExposures(_Whole):
    """The equity-weighted mean beta to each factor, and what each factor is."""

    aggregate_factors: dict[str, float | None]
    factors: dict[str, str]


async def beta(session: AsyncSession, combined: CombinedPortfolios) -> AggregateBeta:
    """The market beta of the portfolios together."""
    betas = (await newest_figures(session, combined.ids)).betas
    return {
        "aggregate_beta": combined.mean(betas),
        "portfolios": _parts(combined, betas, "beta"),
        **_whole(combined, "sum of beta * weight, weight = value / total_value"),
    }


async def volatility(session: AsyncSession, combined: CombinedPortfolios) -> AggregateVolatility:
    """The mean volatility of the portfolios: an upper bound of what they have together."""
    volatilities = (await newest_figures(session, combined.ids)).volatilities
    return {
        "aggregate_volatility": combined.mean(volatilities),
        "portfolios": _parts(combined, volatilities, "volatility"),
        "note": "An upper bound: what the portfolios' moves cancel of each other is not deducted.",
        **_whole(combined, "sum of volatility * weight, weight = value / total_value"),
    }


async def factor_exposures(
    session: AsyncSession, combined: CombinedPortfolios
) -> AggregateFactorExposures:
    """The beta of the portfolios together to each factor."""
    rows = await session.execute(
        statement("analytics/aggregate/factor_exposures"),
        {"portfolios": combined.ids, "weights": combined.weights},
    )
    found = rows.all()
    return {
        "aggregate_factors": {name: mean for name, _, mean in found},
        "factors": {name: meaning for name, meaning, _ in found},
        **_whole(combined, "for each factor: sum of exposure * weight"),
    }


def _parts(
    combined: CombinedPortfolios, figures: Mapping[UUID, float | None], name: str
) -> list[Any]:
    """Each portfolio, its figure under `name`, and figure times weight."""
    return [
        {
            "portfolio_id": str(portfolio.id),
            "account_name": portfolio.account_name,
            "account_type": portfolio.account_type,
            "value": portfolio.equity,
            "weight": weight,
            name: (figure := figures.get(portfolio.id)),
            "contribution": None if figure is None else figure * weight,
        }
        for portfolio, weight in zip(combined.portfolios, combined.weights, strict=True)
    ]


def _whole(combined: CombinedPortfolios, formula: str) -> _Whole:
    whole: _Whole = {
        "net_asset_value": combined.equity,
        "total_value": combined.equity,
        "portfolio_count": len(combined.portfolios),
        "calculation_method": _METHOD,
        "formula": formula,
    }
    return whole if combined.portfolios else {**whole, "message": NO_PORTFOLIOS}
