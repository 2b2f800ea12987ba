"""Verification keeps the very symbols for a correlation that the batch keeps, whatever the data."""

from datetime import date

import numpy as np
import pytest

from app.calculations.correlations import windowed_correlations
from ops.trading_calendar import trading_days
from ops.verify.common_dates import CommonDates

SESSIONS = list(trading_days(date(2025, 3, 3), date(2025, 8, 29)))
SYMBOLS = [f"S{number:02}" for number in range(14)]


def walk(seed: int) -> np.ndarray:
    """Prices (T, S) that move by themselves."""
    moves = np.random.default_rng(seed).normal(0, 0.01, (len(SESSIONS), len(SYMBOLS)))
    return 100 * np.exp(np.cumsum(moves, axis=0))


def holes(prices: np.ndarray, share: float, seed: int) -> np.ndarray:
    gone = np.random.default_rng(seed).random(prices.shape) < share
    return np.where(gone, np.nan, prices)


def every_tenth(prices: np.ndarray) -> np.ndarray:
    """As a table of symbols and days loses every tenth row."""
    kept = prices.T.copy().reshape(-1)
    kept[::10] = np.nan
    return kept.reshape(prices.T.shape).T


def odd(prices: np.ndarray) -> np.ndarray:
    """Young, delisted, flat, evenly growing and unpriced symbols, and two with the same holes."""
    prices = prices.copy()
    prices[:-20, 0] = np.nan
    prices[60:, 1] = np.nan
    prices[:, 2] = 50.0
    prices[:, 3] = 10 * 1.001 ** np.arange(len(prices))
    prices[:, 4] = np.nan
    prices[::2, 5:7] = np.nan
    prices[1::2, 7] = np.nan
    return prices


CASES = {
    "no holes": walk(1),
    "every tenth row": every_tenth(walk(2)),
    "a few holes": holes(walk(3), 0.02, 4),
    "many holes": holes(walk(5), 0.3, 6),
    "hardly any price": holes(walk(7), 0.9, 8),
    "odd symbols": odd(walk(9)),
    "odd symbols with holes": holes(odd(walk(10)), 0.05, 11),
    "nothing": np.full((len(SESSIONS), len(SYMBOLS)), np.nan),
}


@pytest.mark.parametrize("prices", CASES.values(), ids=CASES)
def test_the_same_symbols_stay(prices: np.ndarray) -> None:
    dates = np.array(SESSIONS, "datetime64[D]")
    days = np.arange(0, len(SESSIONS), 3)
    included = np.random.default_rng(12).random((len(days), len(SYMBOLS))) < 0.8
    blocks = windowed_correlations(prices, dates, days, included)
    kept = {
        SESSIONS[days[day]]: [SYMBOLS[column] for column in block.symbols]
        for block in blocks
        for day in block.days
    }
    closes = [
        (symbol, day, float(prices[row, column]))
        for row, day in enumerate(SESSIONS)
        for column, symbol in enumerate(SYMBOLS)
        if not np.isnan(prices[row, column])
    ]
    common = CommonDates(SESSIONS, closes)
    for row, day in enumerate(SESSIONS[number] for number in days):
        wanted = [SYMBOLS[column] for column in np.flatnonzero(included[row])]
        assert common.correlated(wanted, day) == kept.get(day, [])
