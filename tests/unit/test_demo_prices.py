"""Generated prices look like a market and hold the flaws that they promise."""

from datetime import date

import numpy as np
import pytest

from app.calculations.factors import REQUIRED_ETFS
from ops.demo.book import demo_book
from ops.demo.catalogue import catalogue
from ops.demo.prices import (
    FACTOR_VOLS,
    FLAWED_ROWS,
    HOLES,
    LAST_DATE,
    PriceHistory,
    generate_prices,
)
from ops.trading_calendar import trading_days


@pytest.fixture(scope="module")
def prices() -> PriceHistory:
    return generate_prices()


def closes(prices: PriceHistory, symbol: str) -> np.ndarray:
    return prices.close[:, prices.column[symbol]]


def returns(prices: PriceHistory, symbol: str) -> np.ndarray:
    return np.diff(np.log(closes(prices, symbol)))


def row_of(prices: PriceHistory, day: date) -> int:
    return int(np.flatnonzero(prices.dates == np.datetime64(day))[0])


def test_two_draws_are_the_same_and_another_seed_is_not(prices: PriceHistory) -> None:
    assert generate_prices().fingerprint == prices.fingerprint
    assert generate_prices(seed=1).fingerprint != prices.fingerprint


def test_the_draw_is_the_one_that_the_book_was_tuned_on(prices: PriceHistory) -> None:
    last = {symbol: closes(prices, symbol)[-1] for symbol in ("SPY", "XLB", "XLF", "NVDA")}
    assert last == {"SPY": 699.2367, "XLB": 51.4287, "XLF": 59.8382, "NVDA": 224.6747}


def test_days_are_the_nyse_sessions_of_about_eighteen_months(prices: PriceHistory) -> None:
    days = prices.dates.tolist()
    assert tuple(days) == trading_days(date(2024, 6, 20), date(2025, 12, 19))
    assert len(days) == 378


def test_held_symbols_close_at_their_entry_price_on_the_anchor_date(prices: PriceHistory) -> None:
    row = row_of(prices, date(2025, 6, 30))
    for position in demo_book().positions:
        if position.is_eligible:
            assert closes(prices, position.symbol)[row] == float(position.entry_price)


def test_prices_are_positive_ordered_and_have_four_decimals(prices: PriceHistory) -> None:
    known = ~np.isnan(prices.close)
    low, high = prices.low[known], prices.high[known]
    for inside in (prices.open[known], prices.close[known]):
        assert ((low <= inside) & (inside <= high)).all()
    assert low.min() > 0
    np.testing.assert_array_equal(np.round(prices.close[known], 4), prices.close[known])


def test_volumes_fit_32_bits(prices: PriceHistory) -> None:
    known = ~np.isnan(prices.close)
    assert prices.volume[known].min() > 0
    assert prices.volume.max() < 2**31


def test_no_series_jumps_as_at_a_split(prices: PriceHistory) -> None:
    moves = np.abs(np.diff(np.log(prices.close), axis=0))
    assert np.nanmax(moves) < 0.25


def test_holes_are_where_they_are_said_to_be(prices: PriceHistory) -> None:
    for symbol, day in HOLES:
        assert np.isnan(closes(prices, symbol)[row_of(prices, day)])
    held = set(demo_book().held_symbols)
    with_holes = {symbol for symbol in held if np.isnan(closes(prices, symbol)).any()}
    assert with_holes == {symbol for symbol, _ in HOLES} & held
    assert len(with_holes) >= 2


@pytest.mark.parametrize("symbol", REQUIRED_ETFS)
def test_a_required_etf_has_a_price_every_day(prices: PriceHistory, symbol: str) -> None:
    assert not np.isnan(closes(prices, symbol)).any()


def test_nothing_held_is_missing_on_the_days_that_must_be_whole(prices: PriceHistory) -> None:
    columns = [prices.column[symbol] for symbol in demo_book().held_symbols]
    rows = [row_of(prices, date(2025, 6, 30)), len(prices.dates) - 2, len(prices.dates) - 1]
    assert prices.dates[-1] == np.datetime64(LAST_DATE)
    assert not np.isnan(prices.close[np.ix_(rows, columns)]).any()


def test_flawed_rows_stand_on_sessions_that_have_no_other_row(prices: PriceHistory) -> None:
    held = set(demo_book().held_symbols)
    for row in FLAWED_ROWS:
        assert row.symbol not in held
        assert not row.close > 0
        assert np.isnan(closes(prices, row.symbol)[row_of(prices, row.day)])


def test_one_symbol_is_listed_late_and_one_stops_trading(prices: PriceHistory) -> None:
    listed = np.flatnonzero(~np.isnan(closes(prices, "FIG")))
    assert prices.dates[listed[0]] == np.datetime64("2025-07-31")
    assert listed[-1] == len(prices.dates) - 1
    traded = np.flatnonzero(~np.isnan(closes(prices, "WBA")))
    assert traded[0] == 0
    assert prices.dates[traded[-1]] == np.datetime64("2025-08-27")


@pytest.mark.parametrize(
    ("symbol", "low", "high"),
    [("NVDA", 1.2, 2.2), ("KO", 0.2, 0.7), ("VOO", 0.95, 1.05), ("IWM", 0.9, 1.35)],
)
def test_market_betas_are_plausible(
    prices: PriceHistory, symbol: str, low: float, high: float
) -> None:
    market = returns(prices, "SPY")
    beta = np.cov(returns(prices, symbol), market)[0, 1] / market.var(ddof=1)
    assert low < beta < high


def test_the_market_explains_a_fund_wholly_and_a_stock_in_part(prices: PriceHistory) -> None:
    market = returns(prices, "SPY")
    squared = {
        symbol: np.corrcoef(returns(prices, symbol), market)[0, 1] ** 2
        for symbol in ("VOO", "MSFT", "GLD")
    }
    assert squared["VOO"] > 0.98
    assert 0.3 < squared["MSFT"] < 0.9
    assert squared["GLD"] < 0.1


def test_volatility_comes_in_waves(prices: PriceHistory) -> None:
    moves = np.abs(returns(prices, "SPY"))
    quarters = [part.mean() for part in np.array_split(moves, 12)]
    assert max(quarters) > 1.5 * min(quarters)


def test_every_loading_names_a_latent_factor() -> None:
    named = {factor for one in catalogue().values() for factor in one.loadings}
    assert named == set(FACTOR_VOLS)
