# ruff: noqa: T201 - what it finds is for the person at the terminal
"""Show which positions of the demo book pass the correlation filter, and find share counts.

    python -m tools.tune_book            per portfolio: days, symbols that pass, nearest threshold
    python -m tools.tune_book --search   pairs of holdings for the account that passes on some days

The rules are given; the book is what is tuned. Run it after a change of the book or the generator.
"""

import argparse
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ops.demo.book import DemoPortfolio, DemoPosition, demo_book
from ops.demo.catalogue import ANCHOR_DATE
from ops.demo.prices import PriceHistory, generate_prices

SMALLEST_VALUE = 10_000.0
SMALLEST_WEIGHT = 0.01
DAYS_WITH_ANY, DAYS_WITH_BOTH = 99, 85
SAFE_DISTANCE = 10.0  # dollars from the threshold on every day

Floats = NDArray[np.float64]


def last_closes(prices: PriceHistory) -> dict[str, Floats]:
    """The last close on or before each day after the anchor date, per symbol."""
    known = ~np.isnan(prices.close)
    rows = np.where(known, np.arange(len(prices.dates))[:, None], 0)
    filled = np.take_along_axis(prices.close, np.maximum.accumulate(rows, axis=0), axis=0)
    after = filled[prices.dates > np.datetime64(ANCHOR_DATE)]
    return {symbol: after[:, number] for symbol, number in prices.column.items()}


def position_values(positions: list[DemoPosition], closes: dict[str, Floats]) -> Floats:
    """Absolute values per day and position; options have no price and count nothing."""
    days = len(next(iter(closes.values())))
    columns = [
        np.full(days, float(one.market_value))
        if one.market_value is not None
        else abs(float(one.quantity)) * closes[one.symbol]
        if one.is_eligible
        else np.zeros(days)
        for one in positions
    ]
    return np.column_stack(columns)


def passing_symbols(positions: list[DemoPosition], values: Floats) -> NDArray[np.int64]:
    """How many distinct symbols pass the filter on each day."""
    passes = (values >= SMALLEST_VALUE) & (
        values >= SMALLEST_WEIGHT * values.sum(axis=1, keepdims=True)
    )
    symbols = sorted({one.symbol for one in positions if one.is_eligible})
    counts = np.zeros(len(values), dtype=np.int64)
    for symbol in symbols:
        lots = [number for number, one in enumerate(positions) if one.symbol == symbol]
        counts += passes[:, lots].any(axis=1)
    return counts


def report() -> None:
    """Print each portfolio's counts and the totals."""
    book, closes = demo_book(), last_closes(generate_prices())
    every_count = [_report_portfolio(one, closes) for one in book.portfolios.values()]
    counts = np.concatenate(every_count)
    print(f"portfolio-days {np.count_nonzero(counts):,}, sum of squares {np.sum(counts**2):,}")


def _report_portfolio(portfolio: DemoPortfolio, closes: dict[str, Floats]) -> NDArray[np.int64]:
    positions = [one for one in demo_book().positions if one.portfolio_id == portfolio.id]
    values = position_values(positions, closes)
    counts = passing_symbols(positions, values)
    listed = values[:, [one.is_eligible for one in positions]]
    if not listed.size:
        print(f"{portfolio.name:40} nothing listed")
        return counts * 0
    weights = listed / values.sum(axis=1, keepdims=True)
    print(
        f"{portfolio.name:40} {np.count_nonzero(counts):4} days, {counts.min()}-{counts.max()} "
        f"symbols; nearest to 10,000: {np.abs(listed - SMALLEST_VALUE).min():,.2f}, "
        f"nearest to 0.01: {np.abs(weights - SMALLEST_WEIGHT).min():.6f}"
    )
    return counts


def search() -> None:
    """Print pairs of round holdings of which any passes on 99 days and both on 85."""
    closes = last_closes(generate_prices())
    candidates = [
        (symbol, shares, values >= SMALLEST_VALUE)
        for symbol in demo_book().held_symbols
        for shares in range(10, 1000, 10)
        if np.abs((values := shares * closes[symbol]) - SMALLEST_VALUE).min() > SAFE_DISTANCE
    ]
    for (first, some, a), (second, others, b) in combinations(candidates, 2):
        if first != second and (a | b).sum() == DAYS_WITH_ANY and (a & b).sum() == DAYS_WITH_BOTH:
            print(f"{some} {first} and {others} {second}: {a.sum()} and {b.sum()} days")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", action="store_true", help="look for share counts")
    search() if parser.parse_args().search else report()
