"""A portfolio's and its positions' exposures to the style and macro factors."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.envelope import (
    Answer,
    DataQuality,
    Gap,
    Metadata,
    Staleness,
    answer,
    nothing,
    staleness,
)
from app.calculations.factors import MARKET_BETA_NAME, PROVIDER_BETA_NAME
from app.models import PortfolioSnapshot
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_GAP = Gap(
    "no_calculation_available", "NO_FACTOR_CALCULATIONS", "No factor exposures have been computed"
)
_NO_MATCH = Gap(
    "no_matching_positions",
    "NO_MATCHING_POSITIONS",
    "None of these symbols is held with factor exposures",
)


class Factor(TypedDict):
    """Beta to a factor, weighted by value over equity, and in dollars."""

    name: str
    beta: float
    exposure_dollar: float | None


class FactorExposures(Answer):
    """Exposures of one day: styles, interest rate, and the two market betas of its snapshot."""

    data_quality: Staleness | DataQuality
    factors: list[Factor]


class PositionFactors(TypedDict):
    """A position's beta to each factor, in the order of the factors' definitions."""

    position_id: str
    symbol: str
    exposures: dict[str, float]


class PositionFactorExposures(Answer):
    """A page of positions; `total` counts all that match."""

    data_quality: Staleness | DataQuality
    total: int
    limit: int
    offset: int
    positions: list[PositionFactors]


_BETAS = (
    select(
        PortfolioSnapshot.snapshot_date,
        PortfolioSnapshot.equity_balance,
        PortfolioSnapshot.beta_calculated_90d,
        PortfolioSnapshot.beta_provider_1y,
    )
    .where(
        PortfolioSnapshot.portfolio_id == bindparam("portfolio"),
        PortfolioSnapshot.snapshot_date <= bindparam("day"),
    )
    .order_by(PortfolioSnapshot.snapshot_date.desc())
    .limit(1)
)


async def factor_exposures(
    session: AsyncSession, portfolio: OwnedPortfolio, *, use_latest_successful: bool = True
) -> FactorExposures:
    """The newest day with every factor, else the newest with any; with `use_latest_successful`
    off the newest with any at once."""
    asked = {"portfolio": portfolio.id, "complete": use_latest_successful}
    rows = (await session.execute(statement("analytics/factor_exposures"), asked)).all()
    if not rows:
        return {**await nothing(session, portfolio, _GAP), "factors": []}
    day = rows[0].day
    stored: list[Factor] = [
        {"name": row.name, "beta": row.beta, "exposure_dollar": row.dollars} for row in rows
    ]
    snapshot_day, betas = await _market_betas(session, portfolio, day)
    known = {factor["name"] for factor in stored}
    factors = stored + [beta for beta in betas if beta["name"] not in known]
    return {
        **answer(portfolio, day, **_model(rows, factors)),
        "data_quality": staleness(snapshot_day or day),
        "factors": factors,
    }


def _model(rows: Sequence[Any], factors: Sequence[Factor]) -> Metadata:
    """What the exposures are, and whether a newer day was passed over for having fewer."""
    first = rows[0]
    return {
        "factor_model": f"{len(factors)}-factor",
        "calculation_method": first.calculation_method,
        "completeness": "complete" if len(rows) == first.defined else "partial",
        "total_active_factors": first.defined,
        "factors_calculated": len(factors),
        "has_market_beta": any(factor["name"] == MARKET_BETA_NAME for factor in factors),
        "is_latest": first.day == first.newest,
        "is_fallback": first.day != first.newest,
    }


async def _market_betas(
    session: AsyncSession, portfolio: OwnedPortfolio, day: date
) -> tuple[date | None, list[Factor]]:
    """The day and the two betas of the newest snapshot not after `day`."""
    found = await session.execute(_BETAS, {"portfolio": portfolio.id, "day": day})
    row = found.one_or_none()
    if row is None:
        return None, []
    equity = float(row.equity_balance or 0)
    named = {
        MARKET_BETA_NAME: row.beta_calculated_90d,
        PROVIDER_BETA_NAME: row.beta_provider_1y,
    }
    betas = {name: float(beta) for name, beta in named.items() if beta is not None}
    return row.snapshot_date, [
        {
            "name": name,
            "beta": beta,
            "exposure_dollar": round(beta * equity, 2) if equity > 0 else None,
        }
        for name, beta in betas.items()
    ]


async def position_factor_exposures(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    symbols: Sequence[str] | None = None,
    limit: int = 50,
    offset: int = 0,
) -> PositionFactorExposures:
    """Open positions by symbol and id, with their betas of the newest day; of `symbols` alone
    where these are given, in any case."""
    wanted = [symbol.upper() for symbol in symbols] if symbols else None
    asked = {"portfolio": portfolio.id, "symbols": wanted, "limit": limit, "offset": offset}
    rows = (await session.execute(statement("analytics/position_exposures"), asked)).all()
    day, total = rows[0][:2]
    page = {"total": total, "limit": limit, "offset": offset}
    requested: Metadata = {"symbols_requested": list(symbols)} if symbols else {}
    if total == 0:
        gap = _GAP if day is None else _NO_MATCH
        empty = await nothing(session, portfolio, gap, day=day, context=requested)
        return _page(empty, empty["data_quality"], [], **page)
    return _page(answer(portfolio, day, **requested), staleness(day), _positions(rows), **page)


def _positions(rows: Sequence[Any]) -> list[PositionFactors]:
    """A page without positions comes as one row without an id."""
    return [
        {"position_id": str(row.id), "symbol": row.symbol, "exposures": row.betas}
        for row in rows
        if row.id is not None
    ]


def _page(
    head: Answer,
    quality: Staleness | DataQuality,
    positions: list[PositionFactors],
    **page: Any,
) -> PositionFactorExposures:
    return {
        "available": head["available"],
        "portfolio_id": head["portfolio_id"],
        "calculation_date": head["calculation_date"],
        "metadata": head["metadata"],
        "data_quality": quality,
        "total": page["total"],
        "limit": page["limit"],
        "offset": page["offset"],
        "positions": positions,
    }
