"""No input shape and no amount of missing data makes a calculation fail."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from app.calculations.concentration import concentration, sector_weights
from app.calculations.correlations import windowed_correlations
from app.calculations.equity import EquityState, PositionHistory, roll_equity, unrealized_change
from app.calculations.factor_betas import factor_betas
from app.calculations.factors import REQUIRED_ETFS
from app.calculations.index_betas import index_betas
from app.calculations.price_lookback import last_price
from app.calculations.rounding import round_half_away
from app.calculations.stress import factor_correlations, stress_results
from app.calculations.symbol_metrics import symbol_metrics
from app.calculations.volatility_series import portfolio_volatility, symbol_volatility


@pytest.mark.parametrize("sessions", [0, 1, 2, 40])
@pytest.mark.parametrize("symbols", [0, 1, 3])
@pytest.mark.parametrize("evaluated", [0, 1, 2])
@pytest.mark.parametrize("close", [np.nan, 5.0, 0.0, np.inf])
def test_degenerate_prices_give_results_of_the_promised_shape(
    sessions: int, symbols: int, evaluated: int, close: float
) -> None:
    dates = np.datetime64("2025-01-01") + np.arange(sessions)
    days = np.arange(sessions)[sessions - min(evaluated, sessions) :]
    prices = np.full((sessions, symbols), close)
    etfs = dict.fromkeys(REQUIRED_ETFS, np.full(sessions, close))
    shape = (len(days), symbols)
    betas = factor_betas(prices, dates, days, etfs)
    assert betas.values.shape == (*shape, 10)
    assert np.isnan(index_betas(prices, dates, days, np.full(sessions, close)).beta).all()
    assert np.isnan(symbol_volatility(prices, dates, days).realized_21d).all()
    portfolio = portfolio_volatility(prices, dates, days, np.ones(shape))
    assert portfolio.realized_21d.shape == (len(days),)
    assert windowed_correlations(prices, dates, days, np.ones(shape, dtype=bool)) == []
    assert factor_correlations(dates, days, etfs).shape == (len(days), 8, 8)
    assert last_price(prices, dates, 5).shape == prices.shape
    for day in days:
        assert symbol_metrics(prices, dates, int(day)).return_1y.shape == (symbols,)


@dataclass(frozen=True)
class Ending:
    """Two symbols and the ETFs over 900 days; some prices end, and the last day is evaluated."""

    closes: NDArray[np.float64]
    dates: NDArray[np.datetime64]

    @classmethod
    def of(cls, days_after: int, *columns: int) -> "Ending":
        rng = np.random.default_rng(5)
        moves = rng.normal(0, 0.01, (900, 2 + len(REQUIRED_ETFS)))
        closes = 50 * np.exp(np.cumsum(moves, axis=0))
        closes[900 - days_after :, list(columns)] = np.nan
        return cls(closes, np.datetime64("2024-01-01") + np.arange(900))

    def figures(self, *symbols: int) -> list[NDArray[np.float64]]:
        """Betas, factor betas and volatility of symbols as of the last day, (S, ...) each."""
        prices, days = self.closes[:, list(symbols)], np.array([899])
        etfs = dict(zip(REQUIRED_ETFS, self.closes[:, 2:].T, strict=True))
        return [
            index_betas(prices, self.dates, days, etfs["SPY"]).beta[0],
            factor_betas(prices, self.dates, days, etfs).values[0],
            symbol_volatility(prices, self.dates, days).realized_21d[0],
        ]


@pytest.mark.parametrize("days_after", [91, 121, 211, 366, 500])
def test_a_symbol_that_is_no_longer_listed_leaves_the_others_their_figures(days_after: int) -> None:
    market = Ending.of(days_after, 0)
    for both, alone in zip(market.figures(0, 1), market.figures(1), strict=True):
        np.testing.assert_allclose(both[1], alone[0])
        assert np.isfinite(alone).all()
    assert np.isnan(market.figures(0, 1)[0][0])
    included = np.ones((1, 2), dtype=bool)
    blocks = windowed_correlations(market.closes[:, :2], market.dates, np.array([899]), included)
    assert [list(block.symbols) for block in blocks] == [[1]]


@pytest.mark.parametrize("days_after", [91, 121, 211, 283, 500])
def test_a_benchmark_that_has_ended_gives_no_betas_and_nothing_else_is_missing(
    days_after: int,
) -> None:
    betas, factors, volatility = Ending.of(days_after, 2).figures(0, 1)
    assert np.isnan(betas).all()
    assert np.isfinite(factors[:, :6]).all()  # SPY stands for no style
    assert np.isfinite(volatility).all()


@pytest.mark.parametrize("positions", [0, 2])
@pytest.mark.parametrize("evaluated", [0, 3])
@pytest.mark.parametrize("symbols", [0, 1])
def test_degenerate_books_roll_on(positions: int, evaluated: int, symbols: int) -> None:
    dates = np.datetime64("2025-01-01") + np.arange(evaluated)
    book = PositionHistory(
        column=np.full(positions, -1 if symbols == 0 else 0),
        entry_date=np.full(positions, np.datetime64("2025-01-01")),
        entry_price=np.full(positions, np.nan),
        multiplier=np.ones(positions),
        quantity=np.ones((evaluated, positions)),
        closed_quantity=np.zeros((evaluated, positions)),
    )
    prices = np.full((evaluated, symbols), np.nan)
    change = unrealized_change(prices, dates, np.arange(evaluated), book)
    np.testing.assert_array_equal(change, np.zeros((evaluated, positions)))
    nothing = np.zeros(evaluated)
    history = roll_equity(EquityState(5.0), change.sum(axis=1), nothing, nothing)
    assert (history.equity == 5.0).all()


def test_empty_tables_stay_empty() -> None:
    assert round_half_away(np.empty((0, 3)), 2).shape == (0, 3)
    assert concentration(np.empty((0, 4))).hhi.shape == (0,)
    assert np.isnan(concentration(np.empty((2, 0))).top_3).all()
    assert sector_weights(np.empty((2, 0)), np.empty((0, 3), dtype=bool), np.ones(2)).sum() == 0
    empty = np.empty((0, 8)), np.empty((4, 8)), np.empty((0, 8, 8)), np.empty(0), np.empty(0)
    assert [result.shape for result in stress_results(*empty)] == [(0, 4), (0, 4)]
