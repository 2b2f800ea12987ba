"""New prices from elsewhere than a folder, written down as a price file, which is judged like any
other: from legacy, or from Yahoo by the optional package `yfinance`."""

import csv
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from time import sleep
from typing import Any

from sqlalchemy.engine import URL

from app.calculations.factors import MARKET_ETF, REQUIRED_ETFS
from ops.connection import session_at
from ops.errors import ConfigurationError
from ops.legacy_schema import enter_legacy
from ops.price_files.reading import COLUMNS
from ops.sql_files import statement

# Seconds before a symbol is asked for again, of one night: Yahoo forgives within minutes or not.
WAITS = (2.0, 15.0, 60.0)
_FAILED_IN_A_ROW = 2  # then it is not the symbol


@dataclass
class Answers:
    """What Yahoo answered.

    Attributes:
        rows: rows of COLUMNS.
        missing: why there are none, by symbol.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def prepare_yfinance(folder: Path) -> None:
    """See that Yahoo can be asked. What the package remembers is kept in the folder.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import yfinance
    except ImportError:
        raise ConfigurationError(
            "yfinance is not installed here; run `.venv/bin/pip install yfinance`, or leave "
            "PRICES_FROM out"
        ) from None
    yfinance.set_tz_cache_location(str(folder / "yfinance"))
    yfinance.config.debug.hide_exceptions = False


def wanted_prices(core: URL) -> tuple[list[str], date]:
    """The symbols that the book and the factors need, the market's first and then those whose
    prices end earliest, so that none is always the one that is not reached; and the first day of
    stored prices."""
    with session_at(core, "new prices") as connection:
        symbols = {row[0] for row in connection.execute(statement("backfill/symbols"))}
        asked = "SELECT symbol, min(date), max(date) FROM market_data_cache GROUP BY symbol"
        stored = connection.execute(asked).fetchall()
    last = {symbol: day for symbol, _, day in stored}
    ordered = sorted(
        symbols | {*REQUIRED_ETFS},
        key=lambda symbol: (symbol != MARKET_ETF, last.get(symbol, date.min), symbol),
    )
    return ordered, min((day for _, day, _ in stored), default=date.today())


def ask_yahoo(
    symbols: Sequence[str], first: date, last: date, on_symbol: Callable[[int], None]
) -> Answers:
    """Ask for each symbol's days, the past too: a split changes it. Who cannot be asked any more is
    left in peace, and what is missing is asked for the next night."""
    answers, waits, failed = Answers(), iter(WAITS), 0
    for number, symbol in enumerate(symbols, 1):
        try:
            if failed == _FAILED_IN_A_ROW:
                raise ConnectionAbortedError("not asked for, after the failures before it")
            answers.rows += _asked(symbol, first, last, waits)
            failed = 0
        except LookupError as absent:
            answers.missing[symbol] = str(absent)
            failed = 0
        except Exception as error:  # of an HTTP client that yfinance chooses, and of foreign data
            answers.missing[symbol] = f"{type(error).__name__}: {error}".splitlines()[0]
            failed = min(failed + 1, _FAILED_IN_A_ROW)
        on_symbol(number)
    return answers


def _asked(
    symbol: str, first: date, last: date, waits: Iterator[float]
) -> Sequence[tuple[Any, ...]]:
    while True:
        try:
            return history(symbol, first, last)
        except LookupError:
            raise
        except Exception:
            wait = next(waits, None)
            if wait is None:
                raise
            sleep(wait)


def history(symbol: str, first: date, last: date) -> Sequence[tuple[Any, ...]]:
    """A symbol's days at Yahoo, adjusted for splits and not for dividends, as rows of COLUMNS.

    Raises:
        LookupError: Yahoo knows no prices of it.
    """
    import yfinance
    from yfinance.exceptions import YFTickerMissingError

    asked = yfinance.Ticker(symbol.replace(".", "-"))  # BRK.B
    try:
        with warnings.catch_warnings(action="ignore"):
            days = asked.history(
                start=first, end=last + timedelta(days=1), auto_adjust=False, actions=False
            )
    except YFTickerMissingError as missing:
        raise LookupError(missing.rationale) from None
    except Exception as error:
        if getattr(getattr(error, "response", None), "status_code", None) == 404:
            raise LookupError("unknown to Yahoo") from None
        raise
    kept = days[["Open", "High", "Low", "Close", "Volume"]]
    return [(symbol, day.date(), *values) for day, *values in kept.itertuples()]


def write_prices(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write a price file; a value that is not there is an empty cell."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(["" if value != value else value for value in row] for row in rows)


def write_legacy_prices(legacy: URL, path: Path) -> None:
    """Write the prices of legacy as a price file."""
    with (
        session_at(legacy, "new prices", read_only=True) as session,
        path.open("wb") as file,
    ):
        enter_legacy(session, legacy, {"market_data_cache"})
        with session.cursor().copy(statement("legacy_prices")) as copied:
            for data in copied:
                file.write(data)
