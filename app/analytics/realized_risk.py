"""Beta, volatility and drawdown of the recent past (kept for clients of an older interface)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, envelope, nothing
from app.calculations.factors import MARKET_BETA_NAME
from app.json_response import utc_text
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_SESSIONS_PER_YEAR = 252
_BETA_WINDOW_DAYS = 90  # the label that is stored with the beta

_NO_SNAPSHOTS = Gap("no_snapshots", "NO_SNAPSHOT", "The portfolio has no snapshot yet", False)


class RealizedRisk(TypedDict):
    """Beta to SPY, sample deviation of the daily returns per year, and the deepest fall from a
    high (-0.12 is 12% down)."""

    portfolio_beta: float | None
    annualized_volatility: float | None
    max_drawdown: float | None


class RiskMetrics(Envelope):
    """Risk over the days asked for, up to the newest snapshot."""

    risk_metrics: RealizedRisk | None


async def risk_metrics(
    session: AsyncSession, portfolio: OwnedPortfolio, *, lookback_days: int = 90
) -> RiskMetrics:
    """Risk from the snapshots of the last `lookback_days` calendar days."""
    asked = {"portfolio": portfolio.id, "days": lookback_days, "market_beta": MARKET_BETA_NAME}
    rows = (await session.execute(statement("analytics/risk_window"), asked)).all()
    if not rows:
        empty = await nothing(
            session, portfolio, _NO_SNAPSHOTS, context={"lookback_days": lookback_days}
        )
        return {**empty, "risk_metrics": None}
    last = rows[-1]
    returns = [row.daily_return for row in rows if row.daily_return is not None]
    metrics: RealizedRisk = {
        "portfolio_beta": last.beta,
        "annualized_volatility": annualized_volatility(returns),
        "max_drawdown": max_drawdown([row.daily_return or 0.0 for row in rows[1:]]),
    }
    context = _context(rows, lookback_days, len(returns))
    return {**envelope(portfolio, last.snapshot_date, **context), "risk_metrics": metrics}


def annualized_volatility(returns: Sequence[float]) -> float | None:
    """Sample deviation of daily returns, per year; None for fewer than two."""
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1)) * sqrt(_SESSIONS_PER_YEAR)


def max_drawdown(returns: Sequence[float]) -> float:
    """The deepest fall from a high of what these returns compound to, 0 or negative. Returns, not
    values: money that is paid in or out is neither gain nor loss."""
    wealth = np.cumprod([1.0, *(1.0 + one for one in returns)])
    return float(np.min(wealth / np.maximum.accumulate(wealth) - 1.0)) + 0.0


def _context(rows: Sequence[Any], lookback_days: int, returns: int) -> dict[str, Any]:
    last = rows[-1]
    start = last.snapshot_date - timedelta(days=lookback_days)
    context: dict[str, Any] = {
        "lookback_days": lookback_days,
        "date_range": {"start": start.isoformat(), "end": last.snapshot_date.isoformat()},
        "observations": len(rows),
        "calculation_timestamp": utc_text(datetime.now(UTC)),
        "beta_source": "unavailable" if last.beta is None else "factor_exposure",
        "beta_window_days": _BETA_WINDOW_DAYS,
        "warnings": [],
    }
    if last.beta is None:
        context["warnings"].append("beta_unavailable")
    else:
        context["beta_calculation_date"] = last.beta_day.isoformat()
    if returns < 2:
        context["warnings"].append("few_snapshots")
    return context
