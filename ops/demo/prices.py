"""Deterministic daily prices of the demo: a factor model, anchored on 30 June 2025.

Prices are as a vendor quotes them today: adjusted for every split, so no series jumps at one
(Netflix's 10:1 of November 2025 and the 2:1 splits of XLK and XLY lie inside the range).
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ops.demo.catalogue import ANCHOR_DATE, Instrument, catalogue
from ops.trading_calendar import trading_days

FIRST_DATE = date(2024, 6, 20)
LAST_DATE = date(2025, 12, 19)
TRADING_DAYS = 252
LARGEST_VOLUME = 2_000_000_000  # the volume column holds 32 bits
SEED = 523

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

# Annual volatilities of the latent factors. Styles and sectors come on top of the market.
FACTOR_VOLS = {
    "market": 0.15,
    "value": 0.050,
    "growth": 0.065,
    "momentum": 0.085,
    "quality": 0.035,
    "size": 0.095,
    "low_vol": 0.045,
    "rates": 0.130,
    "credit": 0.030,
    "international": 0.065,
    "gold": 0.160,
    "commodities": 0.140,
    "technology": 0.090,
    "semiconductors": 0.140,
    "communication": 0.080,
    "consumer_cyclical": 0.085,
    "consumer_defensive": 0.080,
    "healthcare": 0.090,
    "financials": 0.080,
    "industrials": 0.070,
    "energy": 0.160,
    "utilities": 0.100,
    "real_estate": 0.090,
    "materials": 0.090,
}
MARKET_DRIFT = 0.13  # a year

# Symbols nobody holds: one listed inside the range, one that stops trading.
FIRST_TRADE = {"FIG": date(2025, 7, 31)}
LAST_TRADE = {"WBA": date(2025, 8, 27)}

# Days on which the vendor delivered nothing.
HOLES = (
    ("DUK", date(2025, 3, 11)),
    ("DUK", date(2025, 8, 14)),
    ("XLB", date(2025, 9, 22)),
    ("XLB", date(2025, 9, 23)),
    ("CHTR", date(2024, 11, 5)),
    ("HYG", date(2025, 10, 2)),
    ("DDOG", date(2025, 5, 6)),
)


@dataclass(frozen=True)
class FlawedRow:
    """A row without a usable price, as old vendor loads left them: metadata rows and NaN."""

    symbol: str
    day: date
    close: float


FLAWED_ROWS = (
    FlawedRow("COIN", date(2024, 7, 8), 0.0),
    FlawedRow("DDOG", date(2025, 1, 21), 0.0),
    FlawedRow("WDAY", date(2025, 5, 27), -1.0),
    FlawedRow("PYPL", date(2025, 8, 5), float("nan")),
    FlawedRow("WBA", date(2025, 8, 28), 0.0),
)


@dataclass(frozen=True)
class PriceHistory:
    """Daily prices of S symbols over T days.

    Arrays are T x S, prices in dollars with four decimals, volumes in shares. A day without a row
    is NaN in the four prices and 0 in `volume`. `flawed` holds rows that exist but give no price.
    """

    source: str
    symbols: tuple[str, ...]
    dates: Dates
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]
    flawed: tuple[FlawedRow, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever file or place it came from."""
        digest = hashlib.sha256("\n".join(self.symbols).encode())
        digest.update(self.dates.astype("datetime64[D]").astype("<i8").tobytes())
        for values in (self.open, self.high, self.low, self.close, self.volume):
            digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        digest.update(repr(self.flawed).encode())
        return digest.hexdigest()

    @cached_property
    def column(self) -> dict[str, int]:
        """The column of each symbol."""
        return {symbol: number for number, symbol in enumerate(self.symbols)}


def generate_prices(seed: int = SEED) -> PriceHistory:
    """Draw the demo's prices: about 18 months to 19 December 2025, the same on every machine.

    The close of 30 June 2025 is each instrument's anchor, exactly. Only normal draws of PCG64 are
    used and prices are rounded to four decimals, so platforms agree.
    """
    instruments = list(catalogue().values())
    dates = np.array(trading_days(FIRST_DATE, LAST_DATE), dtype="datetime64[D]")
    rng = np.random.Generator(np.random.PCG64(seed))
    returns = _log_returns(instruments, len(dates), rng)
    close = _anchored(instruments, dates, returns)
    opened, high, low = _intraday(instruments, close, rng)
    volume = _volumes(instruments, returns, rng)
    missing = _missing(instruments, dates)
    for values in (opened, high, low, close):
        values[missing] = np.nan
    volume[missing] = 0
    symbols = tuple(instrument.symbol for instrument in instruments)
    return PriceHistory(
        "generated", symbols, dates, opened, high, low, close, volume, flawed=FLAWED_ROWS
    )


def _log_returns(instruments: list[Instrument], days: int, rng: np.random.Generator) -> Floats:
    """Daily log returns, T x S: common factors times loadings, plus a specific part."""
    factors = list(FACTOR_VOLS)
    turbulence = _turbulence(days, rng)
    daily_vols = np.array(list(FACTOR_VOLS.values())) / np.sqrt(TRADING_DAYS)
    common = rng.standard_normal((days, len(factors))) * daily_vols * turbulence
    common[:, factors.index("market")] += MARKET_DRIFT / TRADING_DAYS
    loadings = np.array(
        [[one.loadings.get(factor, 0.0) for factor in factors] for one in instruments]
    )
    specific_vols = np.array([one.specific_vol for one in instruments]) / np.sqrt(TRADING_DAYS)
    specific = rng.standard_normal((days, len(instruments))) * specific_vols * turbulence
    returns: Floats = common @ loadings.T + specific
    return returns


def _turbulence(days: int, rng: np.random.Generator) -> Floats:
    """A slowly moving factor of volatility around 1, T x 1: calm and nervous months alternate."""
    persistence, spread = 0.97, 0.30
    lag = np.subtract.outer(np.arange(days), np.arange(days))
    memory = np.where(lag >= 0, persistence ** np.maximum(lag, 0), 0.0)
    shocks = rng.standard_normal(days) * spread * np.sqrt(1 - persistence**2)
    level = memory @ shocks - spread**2
    factor: Floats = np.exp(level)[:, None]
    return factor


def _anchored(instruments: list[Instrument], dates: Dates, returns: Floats) -> Floats:
    anchors = np.array([one.anchor_close for one in instruments])
    path = np.cumsum(returns, axis=0)
    anchor_day = int(np.searchsorted(dates, np.datetime64(ANCHOR_DATE)))
    close: Floats = np.round(anchors * np.exp(path - path[anchor_day]), 4)
    return close


def _intraday(
    instruments: list[Instrument], close: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Open, high and low around the closes: an overnight gap, and a range wider than the body."""
    previous = np.vstack([close[:1], close[:-1]])
    spread = np.array([0.25 * one.specific_vol + 0.04 for one in instruments])
    spread = spread / np.sqrt(TRADING_DAYS)
    opened = np.round(previous * np.exp(rng.standard_normal(close.shape) * spread * 0.6), 4)
    upper = np.maximum(opened, close) * np.exp(np.abs(rng.standard_normal(close.shape)) * spread)
    lower = np.minimum(opened, close) * np.exp(-np.abs(rng.standard_normal(close.shape)) * spread)
    return opened, np.round(upper, 4), np.round(lower, 4)


def _volumes(
    instruments: list[Instrument], returns: Floats, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Shares traded: around each instrument's usual volume, more on days of large moves."""
    usual = np.array([one.volume_millions for one in instruments]) * 1e6
    move = np.abs(returns) / returns.std(axis=0)
    noise = rng.standard_normal(returns.shape) * 0.25
    shares = usual * np.exp(noise + 0.25 * (move - 0.8))
    volume: NDArray[np.int64] = np.minimum(np.round(shares, -2), LARGEST_VOLUME).astype(np.int64)
    return volume


def _missing(instruments: list[Instrument], dates: Dates) -> NDArray[np.bool_]:
    """Where there is no row, T x S: outside a listing, holes, and days that hold a flawed row."""
    column = {one.symbol: number for number, one in enumerate(instruments)}
    missing = np.zeros((len(dates), len(instruments)), dtype=bool)
    for symbol, day in FIRST_TRADE.items():
        missing[dates < np.datetime64(day), column[symbol]] = True
    for symbol, day in LAST_TRADE.items():
        missing[dates > np.datetime64(day), column[symbol]] = True
    gaps = [*HOLES, *((row.symbol, row.day) for row in FLAWED_ROWS)]
    for symbol, day in gaps:
        missing[dates == np.datetime64(day), column[symbol]] = True
    return missing
