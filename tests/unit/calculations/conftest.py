"""A small market with every kind of hole, shared by the tests of the calculations."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

ETFS = ("SPY", "VUG", "VTV", "MTUM", "QUAL", "IWM", "USMV", "TLT")


@dataclass(frozen=True)
class Market:
    """Closes of eight symbols and the factor ETFs over 420 sessions; the last 60 are evaluated."""

    dates: NDArray[np.datetime64]
    days: NDArray[np.intp]
    prices: NDArray[np.float64]
    etfs: dict[str, NDArray[np.float64]]

    def window(self, day: int, days: int, *columns: NDArray[np.float64]) -> pd.DataFrame:
        """The columns inside the calendar window of a session, holes kept."""
        frame = pd.DataFrame(np.column_stack(columns), index=pd.DatetimeIndex(self.dates))
        end = pd.Timestamp(self.dates[day])
        return frame.loc[end - pd.Timedelta(days=days) : end]


WHOLE, HOLES, MORE_HOLES, LISTED_LATE, STOPPED, CONSTANT, ABSENT, TOO_YOUNG = range(8)


def _sessions(count: int) -> NDArray[np.datetime64]:
    days = np.arange("2024-01-02", "2026-12-31", dtype="datetime64[D]")
    holidays = np.array(["2024-12-25", "2025-01-01", "2025-07-04"], dtype="datetime64[D]")
    return days[np.is_busday(days, holidays=holidays)][:count]


@pytest.fixture(scope="session")
def market() -> Market:
    rng = np.random.default_rng(7)
    dates = _sessions(420)
    common = rng.normal(0.0003, 0.01, (len(dates), 1))
    moves = common * rng.uniform(0.3, 1.8, 8) + rng.normal(0, 0.012, (len(dates), 8))
    prices = np.round(rng.uniform(20, 300, 8) * np.exp(np.cumsum(moves, axis=0)), 4)
    prices[rng.choice(420, 25, replace=False), HOLES] = np.nan
    prices[350:355, HOLES] = np.nan
    prices[rng.choice(np.arange(250, 420), 60, replace=False), MORE_HOLES] = np.nan
    prices[:335, LISTED_LATE] = np.nan
    prices[390:, STOPPED] = np.nan
    prices[:, CONSTANT] = 42.0
    prices[:, ABSENT] = np.nan
    prices[:400, TOO_YOUNG] = np.nan
    noise = rng.normal(0, 0.004, (len(dates), len(ETFS)))
    levels = np.round(100 * np.exp(np.cumsum(common + noise, axis=0)), 4)
    levels[[300, 372], 2] = np.nan
    levels[381, 7] = np.nan
    etfs = {ticker: levels[:, i] for i, ticker in enumerate(ETFS)}
    return Market(dates=dates, days=np.arange(360, 420), prices=prices, etfs=etfs)
