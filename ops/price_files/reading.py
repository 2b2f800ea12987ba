"""Read a file of daily prices, plain or gzip, in the forms that people export."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ops.errors import BadInputError

COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")
PRICES = COLUMNS[2:6]
LONGEST_SYMBOL = 20
LARGEST_PRICE = 1e8  # numeric(12, 4) ends there

# What others call a column, without brackets, blanks and underscores; the first found counts.
_NAMES = {
    "symbol": ("symbol", "ticker"),
    "date": ("date", "datetime", "timestamp"),
    "close": ("close", "adjclose"),
    "volume": ("volume", "vol"),
}
_EMPTY = frozenset({"", "-", "null", "none", "n/a", "#n/a", "na"})
_SEPARATORS = ",;\t|"
_GZIP_MAGIC = b"\x1f\x8b"
_WORKBOOK_MAGICS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and other zips, .xls
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")  # Excel's "Unicode text" begins so


@dataclass(frozen=True)
class PriceRows:
    """The usable rows of one file, in its order.

    Attributes:
        lines: the line of each row, as an editor counts.
        symbols, dates: whose price, of which day.
        values: (rows, 5): open, high, low, close in dollars, and volume in shares.
        close: the header's name of the column that the closes come from.
        passed_over: the name of another column of closes, if there is one.
        rejected: the lines of rows that lack a value.
    """

    path: Path
    lines: NDArray[np.int64]
    symbols: NDArray[np.str_]
    dates: NDArray[np.datetime64]
    values: NDArray[np.float64]
    close: str
    passed_over: str | None
    rejected: tuple[int, ...]

    def column(self, name: str) -> NDArray[np.float64]:
        """One column of `values` by its name."""
        return self.values[:, COLUMNS.index(name) - 2]


def read_prices(path: Path) -> PriceRows:
    """Read every row. Columns may stand in any order, and others beside them.

    Raises:
        BadInputError: the file cannot be read, or a value does not parse or is not possible.
    """
    text = _text(path)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True
    )
    try:
        return _rows(path, reader)
    except csv.Error as error:
        refuse(path, f"line {reader.line_num} does not parse: {error}")


def refuse(path: Path, complaint: str) -> NoReturn:
    """Raise what is wrong with a price file, in one line that names it."""
    raise BadInputError(f"price file {path}: {complaint}") from None


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP_MAGIC):
            raw = gzip.decompress(raw)
        if raw.startswith(_WORKBOOK_MAGICS):
            refuse(path, "it is a workbook or an archive; save its sheet as CSV, or unpack it")
        return raw.decode("utf-16" if raw.startswith(_UTF_16_MARKS) else "utf-8-sig")
    except FileNotFoundError:
        refuse(path, "there is no such file; correct its path")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        refuse(path, "the gzip data is damaged; make the file again")
    except OSError as error:
        refuse(path, f"it cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        refuse(path, "it is not text in UTF-8; give a CSV, plain or gzip")


def _delimiter(text: str) -> str:
    """What separates the header's names."""
    lines = (line for line in text.lstrip().splitlines() if not _is_hint(line))
    return max(_SEPARATORS, key=next(lines, "").count)


def _is_hint(line: str) -> bool:
    """Whether it tells Excel the separator, before the header."""
    return line.lower().startswith("sep=")


def _rows(path: Path, reader: "csv.Reader") -> PriceRows:  # type: ignore[name-defined]
    header: list[str] = next((cells for cells in reader if cells and not _is_hint(cells[0])), [])
    places, passed_over = _places(path, header)
    lines, symbols, days, values = [], [], [], []
    for line, (symbol, day, *numbers) in _chosen(path, reader, places, len(header)):
        lines.append(line)
        symbols.append(_symbol(path, line, symbol))
        days.append(_day(path, line, day))
        values.append(_numbers(path, line, numbers))
    if not lines:
        refuse(path, "it holds no rows")
    return _usable(
        PriceRows(
            path,
            np.array(lines),
            np.array(symbols),
            np.array(days, "datetime64[D]"),
            np.array(values),
            header[places[COLUMNS.index("close")]].strip(),
            passed_over,
            (),
        )
    )


def _usable(rows: PriceRows) -> PriceRows:
    """The rows that lack nothing, of which each value is possible."""
    kept = ~np.isnan(rows.values).any(axis=1) & (rows.symbols != "") & ~np.isnat(rows.dates)
    if not kept.any():
        refuse(rows.path, "it holds no row without an empty cell")
    chosen = replace(
        rows,
        lines=rows.lines[kept],
        symbols=rows.symbols[kept],
        dates=rows.dates[kept],
        values=rows.values[kept],
        rejected=tuple(rows.lines[~kept].tolist()),
    )
    _check_values(chosen)
    return chosen


def _check_values(rows: PriceRows) -> None:
    """Refuse what no market could have quoted, naming the first row that holds it."""
    for name in PRICES:
        price = np.round(rows.column(name), 4)  # as it is kept
        _check(rows, (price > 0) & (price < LARGEST_PRICE), name)
    volume = rows.column("volume")
    _check(rows, (volume >= 0) & (volume < np.inf) & (volume == np.floor(volume)), "volume")


def _check(rows: PriceRows, possible: NDArray[np.bool_], name: str) -> None:
    if not possible.all():
        row = int(np.argmin(possible))
        found = ",".join(f"{value:g}" for value in rows.values[row])
        day = f"{rows.symbols[row]},{rows.dates[row]},{found}"
        refuse(rows.path, f"line {rows.lines[row]} has an impossible {name}: {day}")


def _places(path: Path, header: Sequence[str]) -> tuple[list[int], str | None]:
    """Where each of COLUMNS stands, and the name of a second column of closes."""
    found = [_plain(name) for name in header]
    named = {column: _NAMES.get(column, (column,)) for column in COLUMNS}
    absent = [column for column, names in named.items() if not {*names} & {*found}]
    if absent:
        names = ", ".join(COLUMNS)
        refuse(
            path, f"the header lacks {', '.join(absent)}; give a row per symbol and day: {names}"
        )
    twice = [name for names in named.values() for name in names if found.count(name) > 1]
    if twice:
        refuse(path, f"the header names {twice[0]} twice; leave one")
    closes = [header[found.index(name)].strip() for name in named["close"] if name in found]
    firsts = (next(name for name in names if name in found) for names in named.values())
    return [found.index(name) for name in firsts], closes[1] if len(closes) > 1 else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "<>_ *")


def _chosen(
    path: Path,
    reader: "csv.Reader",  # type: ignore[name-defined]
    places: Sequence[int],
    width: int,
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The line and the cells of COLUMNS of every row that is not blank."""
    chosen = itemgetter(*places)
    for cells in reader:
        if len(cells) > width and any(cells[width:]):
            refuse(path, f"line {reader.line_num} has more columns than the header (1,5 for 1.5?)")
        try:
            yield reader.line_num, chosen(cells)
        except IndexError:
            if "".join(cells).strip():
                refuse(path, f"line {reader.line_num} has too few columns")


def _symbol(path: Path, line: int, cell: str) -> str:
    symbol = cell.strip().upper().removesuffix(".US")  # Stooq's
    if len(symbol) > LONGEST_SYMBOL or not symbol.isprintable():
        refuse(path, f"line {line} has no usable symbol: {cell[:80]!r}")
    return symbol


def _day(path: Path, line: int, cell: str) -> date | None:
    try:
        return _parsed_day(cell.strip())
    except ValueError:
        refuse(path, f"line {line}: the date {cell[:80]!r} is not written as YYYY-MM-DD")


@lru_cache(maxsize=4096)
def _parsed_day(cell: str) -> date | None:
    """The day as it is written: the exchange's, where a time with its zone follows."""
    return datetime.fromisoformat(cell).date() if cell else None


def _numbers(path: Path, line: int, cells: Sequence[str]) -> list[float]:
    """The values, NaN for an empty cell."""
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return [_number(path, line, cell.strip()) for cell in cells]


def _number(path: Path, line: int, cell: str) -> float:
    try:
        return float("nan") if cell.lower() in _EMPTY else float(cell)
    except ValueError:
        refuse(path, f"line {line} holds {cell[:80]!r} where a number belongs, as 1234.5")
