"""Prices: histories of a portfolio's symbols, quotes, factor ETFs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.calculations.factors import MARKET_ETF, RIDGE_FACTOR_ETFS
from app.data.recent_closes import DailyPrice, recent_closes
from app.holdings import open_holdings
from app.json_response import day_text, utc_text
from app.models.base import utc_now
from app.ownership import OwnedPortfolio
from app.sql_files import statement

FACTOR_ETFS: dict[str, str] = {"Market Beta": MARKET_ETF, **RIDGE_FACTOR_ETFS}
"""The seven factors of the model, by the names that clients know, and their ETFs."""

DateFormat = Literal["iso", "unix"]
DEFAULT_LOOKBACK_DAYS = 150
_SOURCE = "market_data_cache"
_CLOSING_TIME = time(16, tzinfo=ZoneInfo("America/New_York"))


class HistoryMetadata(TypedDict):
    """Calendar days up to the newest close of any of the symbols; null where there is none."""

    lookback_days: int
    start_date: str | None
    end_date: str | None
    trading_days_included: int


class PriceColumns(TypedDict):
    """Daily prices, column by column, oldest first. Prices are stored adjusted."""

    dates: list[str | int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]
    adjusted_close: list[float]
    data_points: int
    source: str


class HistoricalPrices(TypedDict):
    """By symbol; symbols without prices (private assets) are absent."""

    metadata: HistoryMetadata
    symbols: dict[str, PriceColumns]


class Quote(TypedDict):
    """The last close of a symbol and its change to the close before; `timestamp` is the regular
    close of that session. There are no bids and asks."""

    symbol: str
    last_price: float
    bid: float | None
    ask: float | None
    bid_size: int | None
    ask_size: int | None
    volume: int
    day_change: float
    day_change_percent: float
    day_high: float
    day_low: float
    timestamp: str


class QuotesMetadata(TypedDict):
    """What was asked for, and how much of it is known."""

    requested_symbols: list[str]
    successful_quotes: int
    failed_quotes: int
    timestamp: str


class Quotes(TypedDict):
    """In the order asked for; unknown symbols are absent."""

    quotes: list[Quote]
    metadata: QuotesMetadata


class FactorEtf(TypedDict):
    """The newest prices of a factor's ETF, and its return over the lookback as a fraction."""

    factor_name: str
    symbol: str
    current_price: float
    open: float
    high: float
    low: float
    volume: int
    date: str
    updated_at: str
    data_source: str
    exchange: str | None
    market_cap: float | None
    lookback_start: str
    lookback_return: float


class FactorEtfMetadata(TypedDict):
    """About the factor ETFs."""

    factor_model: str
    etf_count: int
    lookback_days: int
    timestamp: str


class FactorEtfPrices(TypedDict):
    """By ETF."""

    metadata: FactorEtfMetadata
    data: dict[str, FactorEtf]


async def historical_prices(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    lookback_days: int = DEFAULT_LOOKBACK_DAYS,
    include_factor_etfs: bool = True,
    date_format: DateFormat = "iso",
    max_symbols: int | None = None,
) -> HistoricalPrices:
    """Daily prices of what the portfolio holds.

    Args:
        lookback_days: calendar days before the newest close.
        max_symbols: only so many holdings, the largest first.
    """
    symbols = await _held_symbols(session, portfolio, max_symbols)
    if include_factor_etfs:
        symbols = [*symbols, *(etf for etf in FACTOR_ETFS.values() if etf not in symbols)]
    found = await session.execute(
        statement("data/price_history"), {"symbols": symbols, "lookback": lookback_days}
    )
    rows = found.all()
    days = sorted({day for row in rows for day in row.dates})
    spell = _spelling(date_format, days)
    return {
        "metadata": _history_metadata(lookback_days, days),
        "symbols": {row.symbol: _columns(row, spell) for row in rows},
    }


async def quotes(session: AsyncSession, symbols: Sequence[str]) -> Quotes:
    """The last close of each symbol. Anybody may see prices."""
    wanted = list(dict.fromkeys(symbol.upper() for symbol in symbols))
    prices = await recent_closes(session, wanted, 2)
    found = [_quote(symbol, prices[symbol]) for symbol in wanted if symbol in prices]
    return {
        "quotes": found,
        "metadata": {
            "requested_symbols": wanted,
            "successful_quotes": len(found),
            "failed_quotes": len(wanted) - len(found),
            "timestamp": utc_text(utc_now()),
        },
    }


async def factor_etf_prices(
    session: AsyncSession,
    *,
    lookback_days: int = DEFAULT_LOOKBACK_DAYS,
    factors: Iterable[str] | None = None,
) -> FactorEtfPrices:
    """The newest prices of the factors' ETFs; `factors` are names, in any case, or ETFs."""
    chosen = _chosen_factors(factors)
    rows = await session.execute(
        statement("data/factor_etfs"), {"symbols": list(chosen), "lookback": lookback_days}
    )
    by_symbol = {row.symbol: row for row in rows}
    data = {
        etf: _factor_etf(name, by_symbol[etf]) for etf, name in chosen.items() if etf in by_symbol
    }
    return {
        "metadata": {
            "factor_model": f"{len(FACTOR_ETFS)}-factor",
            "etf_count": len(data),
            "lookback_days": lookback_days,
            "timestamp": utc_text(utc_now()),
        },
        "data": data,
    }


async def _held_symbols(
    session: AsyncSession, portfolio: OwnedPortfolio, limit: int | None
) -> list[str]:
    """The symbols of holdings that have prices, those with the largest value first."""
    values: dict[str, float] = {}
    for holding in await open_holdings(session, [portfolio.id]):
        if holding.price_date is not None:
            values[holding.symbol] = values.get(holding.symbol, 0.0) + abs(holding.value)
    return sorted(values, key=lambda symbol: (-values[symbol], symbol))[:limit]


def _spelling(date_format: DateFormat, days: Iterable[date]) -> Callable[[date], str | int]:
    texts: dict[date, str | int] = {
        day: day.isoformat() if date_format == "iso" else _midnight(day) for day in days
    }
    return texts.__getitem__


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _history_metadata(lookback_days: int, days: Sequence[date]) -> HistoryMetadata:
    end = days[-1] if days else None
    return {
        "lookback_days": lookback_days,
        "start_date": day_text(end - timedelta(days=lookback_days)) if end else None,
        "end_date": day_text(end),
        "trading_days_included": len(days),
    }


def _columns(row: Row[Any], spell: Callable[[date], str | int]) -> PriceColumns:
    return {
        "dates": [spell(day) for day in row.dates],
        "open": row.open,
        "high": row.high,
        "low": row.low,
        "close": row.close,
        "volume": row.volume,
        "adjusted_close": row.close,
        "data_points": len(row.close),
        "source": _SOURCE,
    }


def _quote(symbol: str, prices: Sequence[DailyPrice]) -> Quote:
    last = prices[0]
    before = prices[1].close if len(prices) > 1 else last.close
    return {
        "symbol": symbol,
        "last_price": last.close,
        "bid": None,
        "ask": None,
        "bid_size": None,
        "ask_size": None,
        "volume": last.volume,
        "day_change": round(last.close - before, 4),
        "day_change_percent": round(100 * (last.close / before - 1), 4),
        "day_high": last.high,
        "day_low": last.low,
        "timestamp": utc_text(datetime.combine(last.date, _CLOSING_TIME)),
    }


def _chosen_factors(factors: Iterable[str] | None) -> dict[str, str]:
    """ETF -> factor, of all or of the named ones."""
    every = {etf: name for name, etf in FACTOR_ETFS.items()}
    if factors is None:
        return every
    named = {name.lower() for name in factors}
    return {e: n for e, n in every.items() if e.lower() in named or n.lower() in named}


def _factor_etf(factor: str, row: Row[Any]) -> FactorEtf:
    close = float(row.close)
    return {
        "factor_name": factor,
        "symbol": row.symbol,
        "current_price": close,
        "open": row.open,
        "high": row.high,
        "low": row.low,
        "volume": row.volume,
        "date": row.date.isoformat(),
        "updated_at": utc_text(row.updated_at),
        "data_source": row.data_source,
        "exchange": row.exchange,
        "market_cap": row.market_cap,
        "lookback_start": row.base_date.isoformat(),
        "lookback_return": round(close / float(row.base_close) - 1, 6),
    }
