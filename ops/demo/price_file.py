"""Daily prices from a tidy CSV, plain or gzip: symbol, date, open, high, low, close, volume."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ops.demo.book import demo_book
from ops.demo.catalogue import ANCHOR_DATE, FACTOR_ETFS
from ops.demo.prices import LAST_DATE, Dates, Floats, PriceHistory
from ops.errors import BadInputError

COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")
LONGEST_SYMBOL = 20
LARGEST_PRICE = 1e8  # numeric(12, 4) ends there
LARGEST_VOLUME = 2**31 - 1

# The first day of the demo's batch looks 210 days back for its spread betas.
NEEDED_FROM = ANCHOR_DATE + timedelta(days=1 - 210)

_GZIP_MAGIC = b"\x1f\x8b"
_NAMES_SHOWN = 5


def load_prices_csv(path: Path) -> PriceHistory:
    """Read a whole price file and check that the demo can run on it.

    Columns may stand in any order and others may stand beside them; rows may be unordered. Prices
    are dollars as the file has them: adjusted for splits, or the history would jump at each one.

    Raises:
        BadInputError: the file cannot be read, a value does not parse or is not possible, a
            symbol has two rows for a day, or the symbols and days that the demo needs are absent.
    """
    text = _read(path)
    rows = _parsed(path, text)
    _check_values(path, rows)
    history = _pivoted(path, rows)
    _check_coverage(path, history)
    return history


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP_MAGIC):
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        _refuse(path, "there is no such file")
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            _refuse(path, "the gzip data is damaged; make the file again")
        _refuse(path, f"it cannot be read ({error.strerror})")
    except (EOFError, zlib.error):
        _refuse(path, "the gzip data is damaged; make the file again")
    except UnicodeDecodeError:
        _refuse(path, "it is not text in UTF-8; give a CSV, plain or gzip")


def _parsed(path: Path, text: str) -> NDArray[np.void]:
    """The needed columns of every row, as one structured array."""
    header = next(csv.reader(io.StringIO(text)), [])
    names = [name.strip().lower() for name in header]
    absent = [column for column in COLUMNS if column not in names]
    if absent:
        _refuse(path, f"the header lacks {', '.join(absent)}; it must name {', '.join(COLUMNS)}")
    kinds: list[tuple[str, Any]] = [
        (name, {"symbol": f"U{LONGEST_SYMBOL + 1}", "date": "U11"}.get(name, np.float64))
        for name in COLUMNS
    ]
    body = text.partition("\n")[2]
    if not body.strip():
        _refuse(path, "it holds no rows")
    try:
        return np.loadtxt(
            io.StringIO(body),
            dtype=kinds,
            delimiter=",",
            comments=None,
            quotechar='"',
            usecols=[names.index(column) for column in COLUMNS],
            ndmin=1,
        )
    except ValueError as error:
        _refuse(path, _parse_complaint(str(error)))


def _parse_complaint(message: str) -> str:
    """NumPy's message with rows counted as a reader does: it counts from 0 or 1 by the case."""
    if found := re.search(r"could not convert string (.*) to \S+ at row (\d+)", message):
        return f"data row {int(found[2]) + 1} holds {found[1]} where a number belongs"
    if found := re.search(r"invalid column index \d+ at row (\d+)", message):
        return f"data row {found[1]} has too few columns"
    return f"a row does not parse: {message.splitlines()[0]}"


def _check_values(path: Path, rows: NDArray[np.void]) -> None:
    """Refuse what no market could have quoted, naming the first row that holds it."""
    lengths = np.char.str_len(rows["symbol"])
    _check(path, rows, (lengths > 0) & (lengths <= LONGEST_SYMBOL), "has no usable symbol")
    for column in ("open", "high", "low", "close"):
        possible = (rows[column] > 0) & (rows[column] < LARGEST_PRICE)
        _check(path, rows, possible, f"has an impossible {column}")
    volume = rows["volume"]
    possible = (volume >= 0) & (volume <= LARGEST_VOLUME) & (volume == np.floor(volume))
    _check(path, rows, possible, "has an impossible volume")


def _check(path: Path, rows: NDArray[np.void], possible: NDArray[np.bool_], complaint: str) -> None:
    if not possible.all():
        first = int(np.argmin(possible))
        row = ",".join(str(value) for value in rows[first].tolist())
        _refuse(path, f"data row {first + 1} {complaint}: {row}")


def _pivoted(path: Path, rows: NDArray[np.void]) -> PriceHistory:
    symbols, column = np.unique(rows["symbol"], return_inverse=True)
    dates, day = np.unique(_dates(path, rows), return_inverse=True)
    cell = day * len(symbols) + column
    taken, first, count = np.unique(cell, return_index=True, return_counts=True)
    if len(taken) < len(cell):
        twice = rows[first[int(np.argmax(count))]]
        _refuse(path, f"{twice['symbol']} has more than one row for {twice['date']}")

    def matrix(name: str) -> Floats:
        values = np.full((len(dates), len(symbols)), np.nan)
        values[day, column] = rows[name]
        return values

    volume = np.zeros((len(dates), len(symbols)), dtype=np.int64)
    volume[day, column] = rows["volume"]
    return PriceHistory(
        source=path.name,
        symbols=tuple(symbols.tolist()),
        dates=dates,
        open=matrix("open"),
        high=matrix("high"),
        low=matrix("low"),
        close=matrix("close"),
        volume=volume,
    )


def _dates(path: Path, rows: NDArray[np.void]) -> Dates:
    texts, inverse = np.unique(rows["date"], return_inverse=True)
    try:
        days = [date.fromisoformat(text) for text in texts.tolist()]
    except ValueError as error:
        _refuse(path, f"a date is not written as YYYY-MM-DD: {error}")
    return np.array(days, dtype="datetime64[D]")[inverse]


def _check_coverage(path: Path, history: PriceHistory) -> None:
    _check_present(path, history, demo_book().held_symbols, "symbols of the demo book")
    _check_present(path, history, FACTOR_ETFS, "factor ETFs")
    first, last = history.dates[0].item(), history.dates[-1].item()
    if first > NEEDED_FROM or last < LAST_DATE:
        _refuse(path, f"it covers {first}..{last}; the demo needs {NEEDED_FROM}..{LAST_DATE}")


def _check_present(path: Path, history: PriceHistory, wanted: Sequence[str], what: str) -> None:
    absent = [symbol for symbol in wanted if symbol not in history.column]
    if absent:
        shown = ", ".join(absent[:_NAMES_SHOWN]) + (", ..." if len(absent) > _NAMES_SHOWN else "")
        _refuse(path, f"it lacks {len(absent)} {what}: {shown}")


def _refuse(path: Path, complaint: str) -> NoReturn:
    raise BadInputError(f"price file {path}: {complaint}") from None
