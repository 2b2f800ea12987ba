"""What the Core database knows of the demo users' portfolios, by statements of verification's own:
what the backend says is held against it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.rows import class_row, dict_row

from ops.sql_files import statement
from ops.verify.subject import Subject

# What is computed from what is held now, so that holding anything is enough.
_LIVE = ("overview", "sector-exposure", "concentration")


@dataclass(frozen=True)
class Held:
    """An open position. `value` in dollars is negative for shorts, None without a price."""

    portfolio: str
    id: str
    symbol: str
    position_type: str
    value: float | None


@dataclass(frozen=True)
class Portfolio:
    """A live portfolio.

    Attributes:
        equity: dollars, as the last batch rolled it; None where none was recorded.
        is_current: whether the newest snapshot is still of what is held now.
    """

    id: str
    email: str
    name: str
    is_active: bool
    equity: float | None
    snapshot_date: date | None
    long_value: float | None
    short_value: float | None
    is_current: bool


@dataclass(frozen=True)
class Book:
    """The portfolios of some users and what they hold."""

    portfolios: Sequence[Portfolio]
    holdings: Mapping[str, Sequence[Held]]

    def of(self, email: str) -> list[Portfolio]:
        """The portfolios of a user."""
        return [portfolio for portfolio in self.portfolios if portfolio.email == email]

    def long_value(self, portfolio: str) -> float:
        """Dollars held long."""
        return sum(max(0.0, held.value or 0.0) for held in self.holdings[portfolio])

    def short_value(self, portfolio: str) -> float:
        """Dollars held short, negative."""
        return sum(min(0.0, held.value or 0.0) for held in self.holdings[portfolio])


@dataclass(frozen=True)
class Stored:
    """What the batch left for a portfolio's analytics.

    Attributes:
        available: endpoint → whether the rows are there that it shows.
        figures: (endpoint, path) → what is to be found there.
    """

    available: Mapping[str, bool]
    figures: Mapping[tuple[str, str], float]


def read_book(subject: Subject, emails: Collection[str]) -> Book:
    """The portfolios of users."""
    with subject.core() as connection:
        users = {"emails": list(emails)}
        with connection.cursor(row_factory=class_row(Portfolio)) as cursor:
            found = cursor.execute(statement("verify/http/portfolios"), users).fetchall()
        ids = {"portfolios": [portfolio.id for portfolio in found]}
        with connection.cursor(row_factory=class_row(Held)) as cursor:
            held = cursor.execute(statement("verify/http/holdings"), ids).fetchall()
    holdings: dict[str, list[Held]] = {portfolio.id: [] for portfolio in found}
    for position in held:
        holdings[position.portfolio].append(position)
    return Book(found, holdings)


def read_stored(subject: Subject, book: Book) -> dict[str, Stored]:
    """What the batch left, by portfolio."""
    ids = {"portfolios": [portfolio.id for portfolio in book.portfolios]}
    with subject.core() as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement("verify/http/analytics"), ids).fetchall()
    return {row["portfolio"]: _stored(row, book) for row in rows}


def _stored(row: Mapping[str, Any], book: Book) -> Stored:
    portfolio = row["portfolio"]
    holds = any(held.value for held in book.holdings[portfolio])
    available = {name: value for name, value in row.items() if isinstance(value, bool)}
    figures = {
        (endpoint, path): float(row[name])
        for name in row
        for endpoint, _, path in [name.partition(" ")]
        if path and row[name] is not None
    }
    figures["overview", "exposures.long_exposure"] = book.long_value(portfolio)
    figures["overview", "exposures.short_exposure"] = book.short_value(portfolio)
    return Stored({**dict.fromkeys(_LIVE, holds), **available}, figures)
