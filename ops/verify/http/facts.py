"""What the Core database knows of the probe accounts' portfolios, by statements of verification's
own; the backend's answers are compared with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.rows import dict_row

from ops.connection import rows_as
from ops.sql_files import statement
from ops.verify.subject import Subject

# What is computed from what is held now, so that holding anything is enough.
_LIVE = ("overview", "sector-exposure", "concentration")
# What the batch left for a portfolio: endpoint, where the rows are there that it shows → path →
# the figure to be found there.
Stored = Mapping[str, Mapping[str, float]]


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


def read_book(subject: Subject, emails: Collection[str]) -> Book:
    """Read the portfolios of users."""
    with subject.core() as connection:
        users = {"emails": list(emails)}
        found = rows_as(Portfolio, connection, statement("verify/http/portfolios"), users)
        ids = {"portfolios": [portfolio.id for portfolio in found]}
        held = rows_as(Held, connection, statement("verify/http/holdings"), ids)
    holdings: dict[str, list[Held]] = {portfolio.id: [] for portfolio in found}
    for position in held:
        holdings[position.portfolio].append(position)
    return Book(found, holdings)


def read_stored(subject: Subject, book: Book) -> dict[str, Stored]:
    """Read what the batch left, by portfolio."""
    ids = {"portfolios": [portfolio.id for portfolio in book.portfolios]}
    with subject.core() as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement("verify/http/analytics"), ids).fetchall()
    return {row["portfolio"]: _stored(row, book) for row in rows}


def _stored(row: Mapping[str, Any], book: Book) -> Stored:
    portfolio = row["portfolio"]
    stored: dict[str, dict[str, float]] = {name: {} for name in row if row[name] is True}
    if any(held.value for held in book.holdings[portfolio]):
        stored |= {name: {} for name in _LIVE}
        stored["overview"] = {
            "exposures.long_exposure": book.long_value(portfolio),
            "exposures.short_exposure": book.short_value(portfolio),
        }
    for name, value in row.items():
        endpoint, _, path = name.partition(" ")
        if path and value is not None and endpoint in stored:
            stored[endpoint][path] = float(value)
    return stored
