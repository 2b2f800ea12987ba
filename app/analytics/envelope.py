"""What every analytic answer has in common, and how it says that there is nothing to show."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.holdings import open_holdings
from app.ownership import OwnedPortfolio

Metadata = dict[str, Any]

_STALE_HOURS = 72


class DataQuality(TypedDict):
    """Why there is nothing to show, and how much of the portfolio could be used."""

    flag: str
    message: str
    positions_analyzed: int
    positions_total: int
    positions_skipped: int
    data_days: int


class Staleness(TypedDict):
    """How old the figures are: hours since their day began (UTC); stale above 72."""

    snapshot_date: str
    age_hours: int
    is_stale: bool
    is_current: bool


class Answer(TypedDict):
    """The head of every answer; `calculation_date` is the day that its figures are of."""

    available: bool
    portfolio_id: str
    calculation_date: str | None
    metadata: Metadata


class Envelope(Answer):
    """The head of an answer that has nothing to say of its data's quality while it is there."""

    data_quality: DataQuality | None


class Nothing(Answer):
    """An answer without figures."""

    data_quality: DataQuality


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing: `reason` is a fixed word for programs, `flag` and `message` say more;
    `of_listed`: only a book with listed stocks or funds can have it."""

    reason: str
    flag: str
    message: str
    of_listed: bool = True


def answer(portfolio: OwnedPortfolio, day: date | None, **metadata: Any) -> Answer:
    """The head of an answer with figures of `day`."""
    return {
        "available": True,
        "portfolio_id": str(portfolio.id),
        "calculation_date": day.isoformat() if day else None,
        "metadata": metadata,
    }


def envelope(portfolio: OwnedPortfolio, day: date | None, **metadata: Any) -> Envelope:
    """`answer`, with its data in order."""
    return {**answer(portfolio, day, **metadata), "data_quality": None}


async def nothing(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    gap: Gap,
    *,
    day: date | None = None,
    analyzed: int = 0,
    data_days: int = 0,
    context: Metadata | None = None,
) -> Nothing:
    """An answer without figures, and why. A book that cannot have them is the first of reasons.

    Args:
        day: the day of a calculation that is there but does not serve.
        analyzed: positions that it rests on, over `data_days` of prices.
        context: what else to put into the metadata.
    """
    held = await open_holdings(session, [portfolio.id])
    total, public = len(held), sum(one.investment_class == "PUBLIC" for one in held)
    flag, message = _cause(gap, total, public)
    return {
        "available": False,
        "portfolio_id": str(portfolio.id),
        "calculation_date": day.isoformat() if day else None,
        "data_quality": {
            "flag": flag,
            "message": message,
            "positions_analyzed": analyzed,
            "positions_total": total,
            "positions_skipped": max(0, total - analyzed),
            "data_days": data_days,
        },
        "metadata": {"reason": gap.reason, "message": message, **(context or {})},
    }


def staleness(day: date) -> Staleness:
    """How old figures of `day` are. Current: no weekday has passed whole since."""
    today = datetime.now(UTC).date()
    hours = (today - day).days * 24
    passed = np.busday_count(np.datetime64(day + timedelta(days=1)), np.datetime64(today))
    return {
        "snapshot_date": day.isoformat(),
        "age_hours": hours,
        "is_stale": hours > _STALE_HOURS,
        "is_current": bool(passed <= 0),
    }


def _cause(gap: Gap, total: int, public: int) -> tuple[str, str]:
    if total == 0:
        return "NO_POSITIONS", "The portfolio holds no open position"
    if public == 0 and gap.of_listed:
        return "NO_PUBLIC_POSITIONS", f"{gap.message}: the portfolio holds no listed stock or fund"
    return gap.flag, gap.message
