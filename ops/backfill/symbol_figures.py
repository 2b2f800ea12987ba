"""Figures per symbol and day, computed once and shared by every position that holds the symbol."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.calculations.factor_betas import FactorBetas, factor_betas
from app.calculations.factors import INTEREST_RATE_ETF, MARKET_ETF, REQUIRED_ETFS
from app.calculations.index_betas import IndexBetas, index_betas
from app.calculations.price_lookback import last_price
from app.calculations.stress import STRESS_WINDOW_DAYS, factor_correlations
from app.calculations.volatility import VolatilityStatistics
from app.calculations.volatility_series import symbol_volatility
from app.calculations.windows import return_windows
from ops.backfill.prices import PriceMatrix


@dataclass(frozen=True)
class SymbolFigures:
    """D days x S symbols of a price matrix.

    Attributes:
        rows: (D,) rows of the price matrix.
        mark: (D, S) last close on or before the day, however old.
        etf_correlation: (D, 8, 8) between the stress factors, from `etf_observations` (D,) returns.
    """

    rows: NDArray[np.intp]
    mark: NDArray[np.float64]
    factors: FactorBetas
    market: IndexBetas
    interest_rate: IndexBetas
    volatility: VolatilityStatistics
    etf_correlation: NDArray[np.float64]
    etf_observations: NDArray[np.intp]


def symbol_figures(prices: PriceMatrix, rows: NDArray[np.intp]) -> SymbolFigures:
    """Compute every symbol's figures for the days at `rows` of the price matrix."""
    closes, dates = prices.closes, prices.dates
    etfs: Mapping[str, NDArray[np.float64]] = {
        symbol: prices.series(symbol) for symbol in REQUIRED_ETFS
    }
    return SymbolFigures(
        rows=rows,
        mark=last_price(closes, dates, max_age_days=None)[rows],
        factors=factor_betas(closes, dates, rows, etfs),
        market=index_betas(closes, dates, rows, etfs[MARKET_ETF]),
        interest_rate=index_betas(closes, dates, rows, etfs[INTEREST_RATE_ETF]),
        volatility=symbol_volatility(closes, dates, rows),
        etf_correlation=factor_correlations(dates, rows, etfs),
        etf_observations=_shared_returns(dates, rows, etfs),
    )


def _shared_returns(
    dates: NDArray[np.datetime64],
    rows: NDArray[np.intp],
    etfs: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.intp]:
    """Returns in the stress window between dates on which every ETF has a price (D,)."""
    shared = dates[np.isfinite(np.column_stack(list(etfs.values()))).all(axis=1)]
    start, stop = return_windows(shared, dates[rows], STRESS_WINDOW_DAYS)
    returns: NDArray[np.intp] = stop - start
    return returns
