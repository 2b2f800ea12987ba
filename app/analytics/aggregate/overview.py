"""What the portfolios are worth together, and each one's part."""

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import CombinedPortfolios
from app.analytics.aggregate.snapshots import newest_figures


class PortfolioShare(TypedDict):
    """A portfolio's part: `value` in dollars, `weight` 0 to 1."""

    id: str
    account_name: str
    account_type: str
    value: float
    weight: float


class AggregateMetrics(TypedDict):
    """Weighted means of the portfolios' newest figures."""

    beta: float | None
    volatility: float | None


class AggregateOverview(TypedDict):
    """The portfolios together, in dollars."""

    net_asset_value: float
    total_value: float
    portfolio_count: int
    portfolios: list[PortfolioShare]
    aggregate_metrics: AggregateMetrics


class Contribution(PortfolioShare):
    """A portfolio's part in percent and in dollars."""

    weight_pct: float
    contribution_dollars: float


class BreakdownSummary(TypedDict):
    """Of all parts."""

    total_weight: float
    average_value: float


class AggregateBreakdown(TypedDict):
    """The portfolios together, part by part."""

    net_asset_value: float
    total_value: float
    portfolio_count: int
    portfolios: list[Contribution]
    summary: BreakdownSummary


async def overview(session: AsyncSession, combined: CombinedPortfolios) -> AggregateOverview:
    """Total equity, and each portfolio's share of it."""
    newest = await newest_figures(session, combined.ids)
    return {
        "net_asset_value": combined.equity,
        "total_value": combined.equity,
        "portfolio_count": len(combined.portfolios),
        "portfolios": _shares(combined),
        "aggregate_metrics": {
            "beta": combined.mean(newest.betas),
            "volatility": combined.mean(newest.volatilities),
        },
    }


async def breakdown(session: AsyncSession, combined: CombinedPortfolios) -> AggregateBreakdown:
    """Each portfolio's part, in percent and in dollars."""
    count = len(combined.portfolios)
    return {
        "net_asset_value": combined.equity,
        "total_value": combined.equity,
        "portfolio_count": count,
        "portfolios": [_contribution(share) for share in _shares(combined)],
        "summary": {
            "total_weight": sum(combined.weights, 0.0),
            "average_value": combined.equity / count if count else 0.0,
        },
    }


def _shares(combined: CombinedPortfolios) -> list[PortfolioShare]:
    return [
        {
            "id": str(portfolio.id),
            "account_name": portfolio.account_name,
            "account_type": portfolio.account_type,
            "value": portfolio.equity,
            "weight": weight,
        }
        for portfolio, weight in zip(combined.portfolios, combined.weights, strict=True)
    ]


def _contribution(share: PortfolioShare) -> Contribution:
    return {
        **share,
        "weight_pct": round(share["weight"] * 100, 2),
        "contribution_dollars": round(share["value"], 2),
    }
