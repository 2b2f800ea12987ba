"""The demo's prices from a file, once nothing about it is in doubt."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from app.calculations.factors import REQUIRED_ETFS
from ops.demo.book import demo_book
from ops.demo.catalogue import ANCHOR_DATE
from ops.demo.prices import LAST_DATE, Floats, PriceHistory
from ops.price_files.judging import (
    LARGEST_VOLUME,
    Concern,
    Needed,
    each_day_once,
    judge,
    refuse_errors,
)
from ops.price_files.reading import PriceRows, read_prices, refuse

# The first day of the demo's batch looks 210 days back for its spread betas.
NEEDED_FROM = ANCHOR_DATE + timedelta(days=1 - 210)

_NAMES_SHOWN = 5


def needed_prices() -> Needed:
    """What the demo cannot do without."""
    symbols = tuple(sorted({*demo_book().held_symbols, *REQUIRED_ETFS}))
    return Needed(symbols, NEEDED_FROM, LAST_DATE)


def judged_prices(path: Path, accept: Collection[str] = ()) -> tuple[PriceHistory, list[Concern]]:
    """Read a whole price file and check that the demo can run on it; with every doubt that did not
    stop it.

    Prices are dollars as the file has them: adjusted for splits, or the history would jump at each
    one.

    Args:
        accept: names of errors to let pass.

    Raises:
        BadInputError: the file cannot be read, a value is not possible, an error is found that is
            not accepted, or the symbols and days that the demo needs are absent.
    """
    rows = read_prices(path)
    concerns = judge(rows, needed_prices())
    check_reach(rows)
    refuse_errors(rows, concerns, accept)
    return _pivoted(rows), concerns


def check_reach(rows: PriceRows) -> None:
    """Refuse a file that lacks what no acceptance replaces.

    Raises:
        BadInputError: a needed symbol is absent, or the file ends too early or begins too late.
    """
    _check_present(rows, demo_book().held_symbols, "symbols of the demo book")
    _check_present(rows, REQUIRED_ETFS, "factor ETFs")
    first, last = rows.dates.min().item(), rows.dates.max().item()
    if first > NEEDED_FROM or last < LAST_DATE:
        refuse(rows.path, f"it covers {first}..{last}; the demo needs {NEEDED_FROM}..{LAST_DATE}")


def _check_present(rows: PriceRows, wanted: Sequence[str], what: str) -> None:
    there = {*np.unique(rows.symbols).tolist()}
    absent = [symbol for symbol in wanted if symbol not in there]
    if absent:
        shown = ", ".join(absent[:_NAMES_SHOWN]) + (", ..." if len(absent) > _NAMES_SHOWN else "")
        refuse(rows.path, f"it lacks {len(absent)} {what}: {shown}")


def _pivoted(rows: PriceRows) -> PriceHistory:
    once = each_day_once(rows)
    symbols, column = np.unique(rows.symbols[once], return_inverse=True)
    dates, day = np.unique(rows.dates[once], return_inverse=True)

    def matrix(name: str, empty: float = np.nan) -> Floats:
        values = np.full((len(dates), len(symbols)), empty)
        values[day, column] = rows.column(name)[once]
        return values

    return PriceHistory(
        source=rows.path.name,
        symbols=tuple(symbols.tolist()),
        dates=dates,
        open=matrix("open"),
        high=matrix("high"),
        low=matrix("low"),
        close=matrix("close"),
        volume=np.minimum(matrix("volume", 0), LARGEST_VOLUME).astype(np.int64),
    )
