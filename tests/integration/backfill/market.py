"""A made-up market: closes of fourteen stocks and the factor ETFs over fourteen months."""

from datetime import date

import numpy as np
import pandas as pd

from app.calculations.factors import REQUIRED_ETFS
from ops.trading_calendar import trading_days

FIRST_PRICE = date(2024, 6, 3)
LAST_PRICE = date(2025, 7, 31)

STOCKS = tuple(f"S{number:02d}" for number in range(12))
SHORT_HISTORY = "NEW"
"""Listed late; how many returns it has is up to the test that sets its first days."""
STOPPED = "GONE"
"""Trades for the last time on STOPPED_ON."""
STOPPED_ON = date(2025, 7, 8)


def made_up_closes() -> pd.DataFrame:
    """Sessions x symbols, four decimals; one factor moves everything, the rest is noise."""
    rng = np.random.default_rng(20250701)
    sessions = trading_days(FIRST_PRICE, LAST_PRICE)
    symbols = [*STOCKS, SHORT_HISTORY, STOPPED, *REQUIRED_ETFS]
    market = rng.normal(0.0004, 0.009, (len(sessions), 1))
    noise = rng.normal(0, 0.011, (len(sessions), len(symbols)))
    noise[:, -len(REQUIRED_ETFS) :] *= 0.4
    loading = rng.uniform(0.4, 1.7, len(symbols))
    loading[-len(REQUIRED_ETFS) :] = [1.0, 1.2, 0.9, 1.1, 1.0, 1.15, 0.7, -0.3]
    levels = rng.uniform(30, 250, len(symbols))
    closes = levels * np.exp(np.cumsum(market * loading + noise, axis=0))
    frame = pd.DataFrame(np.round(closes, 4), index=pd.Index(sessions), columns=pd.Index(symbols))
    frame.loc[frame.index > STOPPED_ON, STOPPED] = np.nan
    return frame
