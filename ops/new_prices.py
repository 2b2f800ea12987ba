"""New days of prices from files, after the move: what contradicts is never replaced silently."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ops.books.ledger import forget_days
from ops.connection import session_at
from ops.errors import BadInputError
from ops.price_files.judging import (
    LARGEST_VOLUME,
    LEVEL_SHIFT,
    Concern,
    each_day_once,
    judge,
    refuse_errors,
)
from ops.price_files.reading import PriceRows, read_prices
from ops.sql_files import statement

_SHOWN = 3
_ENDINGS = (".csv", ".csv.gz", ".txt")


@dataclass(frozen=True)
class TakenFile:
    """What one file brought.

    Attributes:
        rows: prices that were written.
        first: the earliest of their days, from which days are computed again; None without any.
        doubts: what was doubtful about the file, and which stored prices it replaced.
    """

    name: str
    rows: int
    first: date | None
    doubts: tuple[str, ...]


def price_files(folder: Path) -> list[Path]:
    """The price files of a folder, in order of their names.

    Raises:
        BadInputError: there is no such folder.
    """
    if not folder.is_dir():
        raise BadInputError(f"PRICES_FOLDER: there is no folder {folder}; correct its path")
    return sorted(each for each in folder.iterdir() if each.name.lower().endswith(_ENDINGS))


def take_prices(
    core: URL,
    files: Sequence[Path],
    accept: Collection[str],
    guard: Callable[[psycopg.Connection], None],
) -> list[TakenFile]:
    """Bring what Core lacks of price files, in one transaction; days that were computed
    without it are computed again by the next backfill.

    Args:
        accept: names of errors to let pass; `changed-past` replaces stored prices that differ.
        guard: stops the transaction of a run that another has overtaken.

    Raises:
        BadInputError: a file cannot be used, or contradicts what is stored.
    """
    read = [read_prices(path) for path in files]
    with session_at(core, "new prices") as connection:
        guard(connection)
        connection.execute(statement("new_prices_staging"))
        taken = [_take(connection, rows, accept) for rows in read]
        firsts = [one.first for one in taken if one.first is not None]
        if firsts:
            forget_days(connection, min(firsts))
    return taken


def _take(connection: psycopg.Connection, rows: PriceRows, accept: Collection[str]) -> TakenFile:
    """Judge one file, also beside what is stored by now, files before it included; write it."""
    _stage(connection, rows)
    concerns = [*judge(rows), *_beside_stored(connection)]
    refuse_errors(rows, concerns, accept)
    written = connection.execute(
        statement("new_prices_taken"), {"source": rows.path.name[:50]}
    ).fetchall()
    first = min((row[0] for row in written), default=None)
    # One new day is what a file of a night holds.
    doubts = [f"{each.name}: {each.text}" for each in concerns if each.name != "few-days"]
    return TakenFile(rows.path.name, len(written), first, tuple(doubts))


def _beside_stored(connection: psycopg.Connection) -> Iterator[Concern]:
    changed = connection.execute(statement("new_prices_changed")).fetchall()
    if changed:
        text = f"{len(changed)} prices differ from the stored ones: {_shown(changed)}"
        yield Concern("changed-past", text, error=True)
    jumps = connection.execute(statement("new_prices_jumps")).fetchall()
    shifts = [row for row in jumps if not 1 / LEVEL_SHIFT < row[3] / row[2] < LEVEL_SHIFT]
    if shifts:
        text = f"prices follow the stored ones at another level: {_shown(shifts)}"
        yield Concern("level-shift", text, error=True)
    elif jumps:
        text = f"moves of more than 60 % since the stored prices (a split?): {_shown(jumps)}"
        yield Concern("large-move", text)


def _shown(rows: Sequence[tuple[Any, ...]]) -> str:
    texts = [f"{symbol} {day} from {old:f} to {new:f}" for symbol, day, old, new in rows[:_SHOWN]]
    return ", ".join(texts) + (", ..." if len(rows) > _SHOWN else "")


def _stage(connection: psycopg.Connection, rows: PriceRows) -> None:
    connection.execute("TRUNCATE new_prices")
    with connection.cursor().copy("COPY new_prices FROM STDIN") as copy:
        for row in each_day_once(rows).tolist():
            *prices, volume = rows.values[row].tolist()
            whole = min(int(volume), LARGEST_VOLUME)
            copy.write_row([str(rows.symbols[row]), rows.dates[row].item(), *prices, whole])
