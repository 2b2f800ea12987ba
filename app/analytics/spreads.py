"""Spread factors, with what they mean in words."""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, envelope, nothing
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_STRONG, _MODERATE = 0.5, 0.2
_WINDOW_DAYS = 180  # the label that is stored with the betas

_UNDEFINED = Gap(
    "no_calculation_available", "NO_FACTOR_CALCULATIONS", "No spread factors have been computed"
)


class _Tilt(NamedTuple):
    """What leaning to either side of a spread is called, and which stocks are on the sides."""

    long_name: str
    short_name: str
    neutral_name: str
    long_side: str
    short_side: str


_TILTS = {
    "Growth-Value Spread": _Tilt("Growth", "Value", "Balanced", "growth stocks", "value stocks"),
    "Momentum Spread": _Tilt("Momentum", "Contrarian", "Neutral", "recent winners", "the market"),
    "Size Spread": _Tilt("Small Cap", "Large Cap", "Balanced", "small companies", "the market"),
    "Quality Spread": _Tilt(
        "Quality", "Speculative", "Balanced", "high-quality companies", "the market"
    ),
}
_OTHER = _Tilt("Long", "Short", "Balanced", "its long side", "its short side")


class SpreadFactor(TypedDict):
    """Beta to a spread; magnitude Strong, Moderate or Mild, risk_level high, medium or low."""

    name: str
    beta: float
    exposure_dollar: float | None
    direction: str
    magnitude: str
    risk_level: str
    explanation: str


class SpreadFactors(Envelope):
    """The portfolio's exposures to the spreads on the newest day that has any."""

    factors: list[SpreadFactor]


async def spread_factors(session: AsyncSession, portfolio: OwnedPortfolio) -> SpreadFactors:
    """Betas to the long-short factors, and what they mean."""
    asked = {"portfolio": portfolio.id}
    rows = (await session.execute(statement("analytics/spread_factors"), asked)).all()
    if not rows:
        return {**await nothing(session, portfolio, _UNDEFINED), "factors": []}
    factors = [read_spread(row.name, row.beta, row.dollars) for row in rows]
    head = envelope(
        portfolio,
        rows[0].day,
        calculation_method="spread_regression",
        regression_window_days=_WINDOW_DAYS,
        factors_calculated=len(factors),
        expected_factors=rows[0].defined,
    )
    return {**head, "factors": factors}


def read_spread(name: str, beta: float, dollars: float | None) -> SpreadFactor:
    """A spread's beta in words. Strong above 0.5, moderate above 0.2, in either direction."""
    tilt = _TILTS.get(name, _OTHER)
    size = abs(beta)
    magnitude, risk = ("Strong", "high") if size > _STRONG else ("Mild", "low")
    if _MODERATE < size <= _STRONG:
        magnitude, risk = "Moderate", "medium"
    return {
        "name": name,
        "beta": beta,
        "exposure_dollar": dollars,
        "direction": _direction(tilt, beta),
        "magnitude": magnitude,
        "risk_level": risk,
        "explanation": _explanation(tilt, magnitude, beta),
    }


def _direction(tilt: _Tilt, beta: float) -> str:
    if beta == 0:
        return tilt.neutral_name
    return tilt.long_name if beta > 0 else tilt.short_name


def _explanation(tilt: _Tilt, magnitude: str, beta: float) -> str:
    if beta == 0:
        return f"No tilt: it does not matter whether {tilt.long_side} beat {tilt.short_side}."
    moves = "gain" if beta > 0 else "lose"
    return (
        f"{magnitude} {_direction(tilt, beta).lower()} tilt: when {tilt.long_side} beat "
        f"{tilt.short_side} by 1%, the portfolio tends to {moves} {abs(beta):.2f}%."
    )
