"""What moved in a portfolio on its last day and in its last week."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NotRequired

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.data.price_histories import newest_day
from app.data.recent_closes import DailyPrice, recent_closes
from app.holdings import Holding, open_holdings
from app.json_response import day_text, utc_text
from app.models.base import utc_now
from app.ownership import OwnedPortfolio

DEFAULT_THRESHOLD_PERCENT = 0.5
_SESSIONS_OF_A_WEEK = 5
_ALL_MOVERS = 10


class Mover(TypedDict):
    """A symbol with all its lots. Percentages are of the price; the dollars are what the change
    did to the portfolio, so a short loses when its price rises."""

    symbol: str
    current_price: float
    yesterday_price: float | None
    daily_change_pct: float
    daily_change_dollar: float
    weekly_change_pct: float
    weekly_change_dollar: float
    week_ago_price: float | None
    market_value: float
    quantity: float


class PortfolioChange(TypedDict):
    """What the changes did to the portfolio: dollars, and percent of its gross value before."""

    pnl_dollar: float
    pnl_pct: float
    total_market_value: NotRequired[float]


class Movers(TypedDict):
    """Largest changes of price first; weekly keys only when asked for."""

    gainers: list[Mover]
    losers: list[Mover]
    all_movers: list[Mover]
    portfolio_daily_change: PortfolioChange
    biggest_winner: Mover | None
    biggest_loser: Mover | None
    weekly_gainers: NotRequired[list[Mover]]
    weekly_losers: NotRequired[list[Mover]]
    portfolio_weekly_change: NotRequired[PortfolioChange]
    biggest_weekly_winner: NotRequired[Mover | None]
    biggest_weekly_loser: NotRequired[Mover | None]


class MoversMeta(TypedDict):
    """About the movers. `last_day` is the day of the daily changes."""

    threshold_pct: float
    total_positions: int
    positions_above_threshold: int
    daily_data_available: bool
    includes_weekly: bool
    weekly_data_available: bool
    as_of: str
    last_day: str | None


class DailyMovers(TypedDict):
    """The movers of a portfolio."""

    data: Movers
    meta: MoversMeta


@dataclass(frozen=True, slots=True)
class _Stake:
    """All lots of a symbol."""

    quantity: float
    units: float
    value: float


async def daily_movers(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    limit: int = 5,
    threshold_pct: float = DEFAULT_THRESHOLD_PERCENT,
    include_weekly: bool = True,
) -> DailyMovers:
    """What moved most on the book's last day, and over the five sessions up to it.

    Gainers and losers are symbols whose price rose or fell by more than the threshold; a symbol
    without a price on the last day did not move on it. Private assets have no price.
    """
    held = await open_holdings(session, [portfolio.id])
    day = newest_day(held)
    stakes = _stakes(held)
    prices = await recent_closes(session, stakes, _SESSIONS_OF_A_WEEK + 1)
    movers = [_mover(symbol, stake, prices[symbol], day) for symbol, stake in stakes.items()]
    data = _daily(movers, limit, threshold_pct)
    if include_weekly:
        _add_weekly(data, movers, limit, threshold_pct)
    meta: MoversMeta = {
        "threshold_pct": threshold_pct,
        "total_positions": len(held),
        "positions_above_threshold": sum(
            abs(m["daily_change_pct"]) > threshold_pct for m in movers
        ),
        "daily_data_available": any(m["yesterday_price"] is not None for m in movers),
        "includes_weekly": include_weekly,
        "weekly_data_available": any(m["week_ago_price"] is not None for m in movers),
        "as_of": utc_text(utc_now()),
        "last_day": day_text(day),
    }
    return {"data": data, "meta": meta}


def _stakes(held: Iterable[Holding]) -> dict[str, _Stake]:
    """Priced symbols, lots added up."""
    found: dict[str, _Stake] = {}
    for h in held:
        if h.price_date is None:
            continue
        so_far = found.get(h.symbol, _Stake(0.0, 0.0, 0.0))
        found[h.symbol] = _Stake(
            so_far.quantity + h.quantity,
            so_far.units + h.quantity * h.multiplier,
            so_far.value + h.value,
        )
    return found


def _mover(symbol: str, stake: _Stake, prices: Sequence[DailyPrice], day: date | None) -> Mover:
    closes = [price.close for price in prices]
    last = closes[0]
    # What has ended does not move any more.
    before = closes if prices[0].date == day else []
    yesterday = before[1] if len(before) > 1 else None
    week_ago = before[_SESSIONS_OF_A_WEEK] if len(before) > _SESSIONS_OF_A_WEEK else None
    return {
        "symbol": symbol,
        "current_price": last,
        "yesterday_price": yesterday,
        "daily_change_pct": _change_percent(last, yesterday),
        "daily_change_dollar": _change_dollars(last, yesterday, stake.units),
        "weekly_change_pct": _change_percent(last, week_ago),
        "weekly_change_dollar": _change_dollars(last, week_ago, stake.units),
        "week_ago_price": week_ago,
        "market_value": stake.value,
        "quantity": stake.quantity,
    }


def _change_percent(last: float, before: float | None) -> float:
    return round(100 * (last / before - 1), 2) if before is not None else 0.0


def _change_dollars(last: float, before: float | None, units: float) -> float:
    return round((last - before) * units, 2) if before is not None else 0.0


def _daily(movers: Sequence[Mover], limit: int, threshold: float) -> Movers:
    gainers, losers = _sides(movers, lambda m: m["daily_change_pct"], threshold)
    return {
        "gainers": gainers[:limit],
        "losers": losers[:limit],
        "all_movers": sorted(movers, key=lambda m: -abs(m["daily_change_pct"]))[:_ALL_MOVERS],
        "portfolio_daily_change": {
            **_portfolio_change(movers, lambda m: m["daily_change_dollar"]),
            "total_market_value": round(sum(m["market_value"] for m in movers), 2),
        },
        "biggest_winner": gainers[0] if gainers else None,
        "biggest_loser": losers[0] if losers else None,
    }


def _add_weekly(data: Movers, movers: Sequence[Mover], limit: int, threshold: float) -> None:
    gainers, losers = _sides(movers, lambda m: m["weekly_change_pct"], threshold)
    data["weekly_gainers"] = gainers[:limit]
    data["weekly_losers"] = losers[:limit]
    data["portfolio_weekly_change"] = _portfolio_change(movers, lambda m: m["weekly_change_dollar"])
    data["biggest_weekly_winner"] = gainers[0] if gainers else None
    data["biggest_weekly_loser"] = losers[0] if losers else None


def _sides(
    movers: Sequence[Mover], change: Callable[[Mover], float], threshold: float
) -> tuple[list[Mover], list[Mover]]:
    """Those that rose and those that fell, the largest change first."""
    rising = sorted((m for m in movers if change(m) > threshold), key=lambda m: -change(m))
    falling = sorted((m for m in movers if change(m) < -threshold), key=change)
    return rising, falling


def _portfolio_change(
    movers: Sequence[Mover], dollars: Callable[[Mover], float]
) -> PortfolioChange:
    gained = sum(dollars(m) for m in movers)
    before = sum(abs(m["market_value"] - dollars(m)) for m in movers)
    return {
        "pnl_dollar": round(gained, 2),
        "pnl_pct": round(100 * gained / before, 2) if before else 0.0,
    }
