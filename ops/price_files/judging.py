"""What makes prices doubtful: errors, which are overridden by name, and warnings."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ops.price_files.reading import COLUMNS, PriceRows, refuse
from ops.trading_calendar import days_without_session, trading_days

LARGEST_VOLUME = 2**31 - 1  # the volume column holds 32 bits
LEVEL_SHIFT = 5.0  # times the level before, either way

_LEAST_COVERAGE = 0.6
_LARGE_MOVE = 1.6  # times the close before, either way
_STAYING_DAYS = 5  # a shift is told from a single wrong close by the medians of so many
_FEW_DAYS = 2
_SHOWN = 5


@dataclass(frozen=True)
class Needed:
    """Which symbols must have prices, from which session to which."""

    symbols: tuple[str, ...]
    first: date
    last: date


@dataclass(frozen=True)
class Concern:
    """A doubt about a price file.

    Attributes:
        name: by which an error is overridden, if it is one of `ops.price_files.ACCEPTABLE`.
        text: what was found, the worst first.
        error: whether it stops what needs the file.
    """

    name: str
    text: str
    error: bool = False


def judge(rows: PriceRows, needed: Needed | None = None) -> list[Concern]:
    """Every doubt about the rows, errors first; coverage only where something is needed."""
    once = each_day_once(rows)
    found = [*_of_reading(rows), *_of_repeats(rows), *_of_days(rows)]
    found += [*_of_history(rows, once), *_of_moves(rows, once)]
    if needed is not None:
        found += _of_coverage(rows, once, needed)
    return sorted(found, key=lambda concern: not concern.error)


def each_day_once(rows: PriceRows) -> NDArray[np.intp]:
    """Which rows count, by symbol and day: of a day with several rows the last one."""
    order = _by_symbol_and_day(rows)
    once: NDArray[np.intp] = order[~np.append(_same_as_before(rows, order)[1:], False)]
    return once


def _by_symbol_and_day(rows: PriceRows) -> NDArray[np.intp]:
    return np.lexsort((rows.dates, rows.symbols))


def _same_as_before(rows: PriceRows, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    symbols, dates = rows.symbols[order], rows.dates[order]
    return np.append(False, (symbols[1:] == symbols[:-1]) & (dates[1:] == dates[:-1]))


def _of_reading(rows: PriceRows) -> Iterator[Concern]:
    if rows.rejected:
        text = f"{len(rows.rejected)} rows lack a value and are left out: {_lines(rows.rejected)}"
        yield Concern("rejected", text)
    if rows.passed_over:
        yield Concern("closes", f"taken from {rows.close!r}, not from {rows.passed_over!r}")
    large = int((rows.column("volume") > LARGEST_VOLUME).sum())
    if large:
        yield Concern("volume", f"{large} volumes are kept as {LARGEST_VOLUME:,}, the largest")


def _of_repeats(rows: PriceRows) -> Iterator[Concern]:
    """Several rows for a day of a symbol: the same again, or another price."""
    order = _by_symbol_and_day(rows)
    later = np.flatnonzero(_same_as_before(rows, order))
    differs = (rows.values[order[later]] != rows.values[order[later - 1]]).any(axis=1)
    if not differs.all():
        lines = rows.lines[order[later[~differs]]]
        yield Concern("repeated", f"{len(lines)} rows say again what is there: {_lines(lines)}")
    if differs.any():
        pairs = zip(order[later[differs] - 1], order[later[differs]], strict=True)
        text = _listed([f"{_row(rows, b)} differs from line {rows.lines[a]}" for a, b in pairs])
        yield Concern("contradiction", f"days have two prices: {text}", error=True)


def _of_days(rows: PriceRows) -> Iterator[Concern]:
    """Prices that one day alone shows to be wrong."""
    opened, high, low, close = (rows.column(name) for name in COLUMNS[2:6])
    upside_down = np.flatnonzero(high < low)
    if upside_down.size:
        text = _listed([_row(rows, row) for row in upside_down])
        yield Concern("high-below-low", f"the high is below the low: {text}", error=True)
    outside = (high >= low) & (
        (np.maximum(opened, close) > high) | (np.minimum(opened, close) < low)
    )
    if outside.any():
        text = _listed([_row(rows, row) for row in np.flatnonzero(outside)])
        yield Concern("close-outside-day", f"open or close is outside low to high: {text}")
    closed = days_without_session(np.unique(rows.dates).tolist())
    if closed:
        text = _listed([str(day) for day in closed])
        yield Concern("no-session", f"{len(closed)} days are no sessions of the NYSE: {text}")
    if to_come := np.unique(rows.dates[rows.dates > np.datetime64("today", "D")]).tolist():
        text = _listed([str(day) for day in to_come])
        yield Concern("future", f"{len(to_come)} days are still to come (day for month?): {text}")


def _of_history(rows: PriceRows, once: NDArray[np.intp]) -> Iterator[Concern]:
    symbols, days = np.unique(rows.symbols[once], return_counts=True)
    short = [
        (int(n), str(symbol)) for symbol, n in zip(symbols, days, strict=True) if n <= _FEW_DAYS
    ]
    if short:
        text = _listed([f"{symbol} ({n})" for n, symbol in sorted(short)])
        yield Concern("few-days", f"{len(short)} symbols have one or two days: {text}")


def _of_moves(rows: PriceRows, once: NDArray[np.intp]) -> Iterator[Concern]:
    """Jumps from one close of a symbol to the next: once, or to a level that stays."""
    close, symbols = rows.column("close")[once], rows.symbols[once]
    jump = np.abs(np.log(close[1:] / close[:-1])) * (symbols[1:] == symbols[:-1])
    large = np.flatnonzero(jump > np.log(_LARGE_MOVE)) + 1
    worst = large[np.argsort(-jump[large - 1], kind="stable")].tolist()
    shifts = [at for at in worst if _level_shift(close, symbols, at) >= LEVEL_SHIFT]
    if shifts:
        text = _listed([_move(rows, once, at) for at in shifts])
        yield Concern(
            "level-shift", f"prices change their level and stay there: {text}", error=True
        )
    if others := [at for at in worst if at not in {*shifts}]:
        text = _listed([_move(rows, once, at) for at in others])
        yield Concern("large-move", f"moves of more than 60 % in a day (a split?): {text}")


def _level_shift(close: NDArray[np.float64], symbols: NDArray[np.str_], at: int) -> float:
    """How many times the level after `at` is that before it, either way."""
    near = slice(max(at - _STAYING_DAYS, 0), at + _STAYING_DAYS)
    own = symbols[near] == symbols[at]
    before = close[near][: at - near.start][own[: at - near.start]]
    after = close[near][at - near.start :][own[at - near.start :]]
    ratio = float(np.median(after) / np.median(before))
    return max(ratio, 1 / ratio)


def _of_coverage(rows: PriceRows, once: NDArray[np.intp], needed: Needed) -> Iterator[Concern]:
    sessions = np.array(trading_days(needed.first, needed.last), "datetime64[D]")
    inside = once[np.isin(rows.dates[once], sessions)]
    symbols, counts = np.unique(rows.symbols[inside], return_counts=True)
    days = dict(zip(symbols.tolist(), counts.tolist(), strict=True))
    part = sorted((days.get(symbol, 0) / len(sessions), symbol) for symbol in needed.symbols)
    thin = [f"{symbol} {share:.0%}" for share, symbol in part if share < _LEAST_COVERAGE]
    if thin:
        text = (
            f"{len(thin)} needed symbols have prices on less than {_LEAST_COVERAGE:.0%} of the "
            f"sessions {needed.first}..{needed.last}: {_listed(thin)}"
        )
        yield Concern("coverage", text, error=True)
    yield from _of_holes(np.searchsorted(sessions, rows.dates[inside]), symbols, counts, needed)


def _of_holes(
    sessions: NDArray[np.intp],
    symbols: NDArray[np.str_],
    counts: NDArray[np.intp],
    needed: Needed,
) -> Iterator[Concern]:
    """Sessions between a symbol's first and its last, which lie together, that have no price."""
    ends = np.cumsum(counts)
    lacking = sessions[ends - 1] - sessions[ends - counts] + 1 - counts
    holes = [
        (-n, symbol)
        for n, symbol in zip(lacking.tolist(), symbols.tolist(), strict=True)
        if n and symbol in needed.symbols
    ]
    if holes:
        worst = _listed([f"{symbol} {-n}" for n, symbol in sorted(holes)])
        text = f"{len(holes)} needed symbols lack sessions between their first and last: {worst}"
        yield Concern("holes", text)


def _row(rows: PriceRows, row: int | np.intp) -> str:
    return f"{rows.symbols[row]} {rows.dates[row]} (line {rows.lines[row]})"


def _move(rows: PriceRows, once: NDArray[np.intp], at: int) -> str:
    before, after = rows.column("close")[once[[at - 1, at]]].tolist()
    return f"{_row(rows, once[at])} from {before:g} to {after:g}"


def _lines(lines: Sequence[int] | NDArray[np.int64]) -> str:
    return "line " + _listed([str(line) for line in sorted(lines)])


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def refuse_errors(rows: PriceRows, concerns: Collection[Concern], accept: Collection[str]) -> None:
    """Stop what needs the file, unless every error is accepted by its name.

    Raises:
        BadInputError: with all the other errors in one line.
    """
    left = [each for each in concerns if each.error and each.name not in accept]
    if left:
        found = "; ".join(f"{each.name}: {each.text}" for each in left)
        names = ",".join(each.name for each in left)
        refuse(
            rows.path, f"{found}; correct it, or accept it by `--accept {names}` (PRICES_ACCEPT)"
        )
