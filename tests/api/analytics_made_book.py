"""A user with one portfolio, made for a test row by row and removed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from ops.connection import connect
from tests.api.analytics_books import ask_for
from tests.api.backend import Backend

_OF_POSITIONS = ("position_factor_exposures", "position_market_betas", "position_realized_events")
_OF_PORTFOLIOS = (
    "factor_exposures",
    "stress_test_results",
    "correlation_calculations",
    "portfolio_snapshots",
    "positions",
)
_ZERO = ("total_value", "long_value", "short_value", "gross_exposure", "net_exposure")


@dataclass(frozen=True)
class MadeBook:
    """The portfolio. Methods insert a row each; column names are keywords."""

    backend: Backend
    core: psycopg.Connection
    id: UUID
    user_id: UUID
    email: str

    def ask(self, path: str, **query: Any) -> dict[str, Any]:
        """What its owner is told."""
        return ask_for(self.backend, self.email, self.user_id, self.id, path, query)

    def insert(self, table: str, **values: Any) -> None:
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self.core.execute(query, list(values.values()))

    def position(self, symbol: str, quantity: float, price: float, **values: Any) -> UUID:
        """An open lot, PUBLIC and LONG or SHORT where nothing else is said."""
        identifier = uuid4()
        given = {
            "id": identifier,
            "portfolio_id": self.id,
            "symbol": symbol,
            "quantity": quantity,
            "entry_price": price,
            "entry_date": "2025-01-02",
            "position_type": "LONG" if quantity > 0 else "SHORT",
            "investment_class": "PUBLIC",
            "created_at": "2025-01-02",
            "updated_at": "2025-01-02",
        }
        self.insert("positions", **{**given, **values})
        return identifier

    def snapshot(self, day: str, **values: Any) -> None:
        """Of a portfolio with one position, worth nothing where nothing else is said."""
        given = {
            **dict.fromkeys((*_ZERO, "cash_value"), 0),
            **dict.fromkeys(("num_positions", "num_long_positions"), 1),
            "num_short_positions": 0,
        }
        made: dict[str, Any] = {**given, "created_at": f"{day} 22:00Z", "is_complete": True}
        made |= {"id": uuid4(), "portfolio_id": self.id, "snapshot_date": day, **values}
        self.insert("portfolio_snapshots", **made)

    def exposures(self, day: str, betas: dict[str, float]) -> None:
        """Of the portfolio, to factors by name; dollars are a thousand times the beta."""
        known = dict(self.core.execute("SELECT name, id FROM factor_definitions").fetchall())
        for name, beta in betas.items():
            self.insert(
                "factor_exposures",
                **{"id": uuid4(), "portfolio_id": self.id, "factor_id": known[name]},
                **{"calculation_date": date.fromisoformat(day), "exposure_value": beta},
                **{"exposure_dollar": 1000 * beta, "created_at": day, "updated_at": day},
            )


@contextmanager
def made_book(backend: Backend, equity: float | None = 1000.0) -> Iterator[MadeBook]:
    """A user of their own with an empty portfolio."""
    times = {"created_at": "2025-01-02 12:00Z", "updated_at": "2025-01-02 12:00Z"}
    user = {"hashed_password": "-", "full_name": "Maker", "is_active": True}
    kind = {"account_type": "taxable", "is_active": True, "currency": "USD"}
    with connect(backend.core, application_name="tests", autocommit=True) as core:
        book = MadeBook(backend, core, uuid4(), uuid4(), f"{uuid4().hex}@example.com")
        book.insert("users", id=book.user_id, email=book.email, **user, **times)
        own = {"id": book.id, "user_id": book.user_id, "name": "Made", "account_name": "Made"}
        book.insert("portfolios", **own, **kind, equity_balance=equity, **times)
        try:
            yield book
        finally:
            _remove(core, book)


def _remove(core: psycopg.Connection, book: MadeBook) -> None:
    core.execute(
        "DELETE FROM pairwise_correlations p USING correlation_calculations c "
        "WHERE c.id = p.correlation_calculation_id AND c.portfolio_id = %s",
        [book.id],
    )
    for table in _OF_POSITIONS:
        core.execute(
            sql.SQL(
                "DELETE FROM {} x USING positions p "
                "WHERE p.id = x.position_id AND p.portfolio_id = %s"
            ).format(sql.Identifier(table)),
            [book.id],
        )
    for table in _OF_PORTFOLIOS:
        core.execute(
            sql.SQL("DELETE FROM {} WHERE portfolio_id = %s").format(sql.Identifier(table)),
            [book.id],
        )
    core.execute("DELETE FROM portfolios WHERE id = %s", [book.id])
    core.execute("DELETE FROM users WHERE id = %s", [book.user_id])
