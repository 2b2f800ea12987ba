"""What a rebuild left, beside the figures of the runbook, and the book's course in pictures."""

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import first_value, session_at
from ops.plan_figures import FIGURES
from ops.sql_files import statement


@dataclass(frozen=True)
class Figure:
    """One row of the comparison: the runbook's count and ours."""

    table: str
    plan: int
    ours: int

    @property
    def equal(self) -> bool:
        """Whether both counts agree."""
        return self.plan == self.ours


@dataclass(frozen=True)
class BookCourse:
    """Equity per portfolio and mean absolute exposure per factor, day by day.

    Attributes:
        days: (D,) the days.
        equity: portfolio → (D,) dollars, NaN where it has no snapshot.
        exposures: factor → (D,) equity-weighted beta of the whole book.
    """

    days: tuple[date, ...]
    equity: dict[str, NDArray[np.float64]]
    exposures: dict[str, NDArray[np.float64]]

    @property
    def digest(self) -> str:
        """What tells one course from another."""
        digest = hashlib.sha256(repr((self.days, *self.equity, *self.exposures)).encode())
        for series in (*self.equity.values(), *self.exposures.values()):
            digest.update(series.tobytes())
        return digest.hexdigest()


def plan_comparison(core: URL) -> list[Figure]:
    """The runbook's six counts beside those of a Core database."""
    counting = sql.SQL("SELECT count(*) FROM {}")
    with session_at(core, "summary") as connection:
        return [
            Figure(table, plan, first_value(connection, counting.format(sql.Identifier(table))))
            for table, plan in FIGURES.items()
        ]


def book_course(core: URL, first: date, last: date) -> BookCourse:
    """Read equity and exposures of all portfolios over a range."""
    with session_at(core, "summary") as connection:
        equity = connection.execute(statement("book_equity"), [first, last]).fetchall()
        exposures = connection.execute(statement("book_exposures"), [first, last]).fetchall()
    days = tuple(sorted({row[1] for row in equity}))
    return BookCourse(days, _series(equity, days), _series(exposures, days))


def _series(
    rows: list[tuple[str, date, float]], days: tuple[date, ...]
) -> dict[str, NDArray[np.float64]]:
    index = {day: number for number, day in enumerate(days)}
    series: dict[str, NDArray[np.float64]] = {}
    for name, day, value in rows:
        if day in index:
            series.setdefault(name, np.full(len(days), np.nan))[index[day]] = value
    return dict(sorted(series.items()))
