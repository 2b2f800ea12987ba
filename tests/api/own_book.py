"""A book of a test's own in the shared database: users, portfolios, prices; gone at its end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from psycopg import Connection, sql
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend

Answer = TypeVar("Answer")
_BY_PORTFOLIO = ("portfolio_target_prices", "portfolio_snapshots", "positions")


@dataclass
class OwnBook:
    """What one new user has. Symbols of a test must be its own: prices are shared by all."""

    core: Connection[Any]
    backend: Backend
    user_id: UUID = field(default_factory=uuid4)
    symbols: set[str] = field(default_factory=set)

    @property
    def email(self) -> str:
        return f"{self.user_id}@example.com"

    def client(self) -> httpx.Client:
        return self.backend.client(self.email, self.user_id)

    def portfolio(self, **columns: Any) -> UUID:
        """A new portfolio."""
        id_ = uuid4()
        defaults = {"name": "Own", "account_name": str(id_), "equity_balance": 100_000}
        self._insert("portfolios", {"id": id_, "user_id": self.user_id, **defaults, **columns})
        return id_

    def position(self, portfolio_id: UUID, symbol: str, quantity: float, **columns: Any) -> UUID:
        """A new position, long stock where nothing else is said."""
        id_ = uuid4()
        defaults = {
            "position_type": "LONG" if quantity > 0 else "SHORT",
            "investment_class": "PUBLIC",
            "entry_price": 10,
            "entry_date": date(2025, 6, 30),
        }
        own = {"id": id_, "portfolio_id": portfolio_id, "symbol": symbol, "quantity": quantity}
        self._insert("positions", {**own, **defaults, **columns})
        return id_

    def prices(self, symbol: str, closes: Mapping[date, Any], **columns: Any) -> None:
        """Closes of a symbol that nobody else has."""
        self.symbols.add(symbol)
        for day, close in closes.items():
            row = {"symbol": symbol, "date": day, "close": close, "data_source": "test"}
            self._insert("market_data_cache", {"id": uuid4(), **row, **columns})

    def daily_prices(
        self, symbol: str, days: int, close: float = 20, last: date = LAST_DAY
    ) -> None:
        """The same close on so many calendar days up to `last`."""
        self.prices(symbol, {last - timedelta(days=n): close for n in range(days)})

    def tag(self, name: str, *positions: UUID, **columns: Any) -> UUID:
        """A tag on positions."""
        id_ = uuid4()
        row = {"id": id_, "user_id": self.user_id, "name": name, "color": "#123456", **columns}
        self._insert("tags_v2", row, timestamps=False)
        for position in positions:
            link = {"id": uuid4(), "position_id": position, "tag_id": id_}
            self._insert("position_tags", link, timestamps=False)
        return id_

    def snapshot(self, portfolio_id: UUID, day: date, total_value: float, **columns: Any) -> None:
        """A stored day."""
        amounts = ("cash_value", "long_value", "short_value", "gross_exposure", "net_exposure")
        counts = ("num_positions", "num_long_positions", "num_short_positions")
        zeros = dict.fromkeys((*amounts, *counts), 0)
        own = {"id": uuid4(), "portfolio_id": portfolio_id, "snapshot_date": day}
        row = {**own, "total_value": total_value, **zeros, **columns}
        self._insert("portfolio_snapshots", row, timestamps=False, created=True)

    def target(self, portfolio_id: UUID, symbol: str, **columns: Any) -> None:
        """A price target."""
        row = {"id": uuid4(), "portfolio_id": portfolio_id, "symbol": symbol, **columns}
        self._insert("portfolio_target_prices", row)

    def insert_user(self) -> None:
        columns = {"email": self.email, "hashed_password": "-", "full_name": "Own"}
        self._insert("users", {"id": self.user_id, "is_active": True, **columns})

    def remove(self) -> None:
        """Everything, children first."""
        own = "portfolio_id IN (SELECT id FROM portfolios WHERE user_id = %s)"
        for table in _BY_PORTFOLIO:
            query = sql.SQL("DELETE FROM {} WHERE " + own).format(sql.Identifier(table))
            self.core.execute(query, [self.user_id])
        self.core.execute("DELETE FROM portfolios WHERE user_id = %s", [self.user_id])
        self.core.execute("DELETE FROM users WHERE id = %s", [self.user_id])
        self.core.execute(
            "DELETE FROM market_data_cache WHERE symbol = ANY(%s)", [list(self.symbols)]
        )

    def _insert(
        self,
        table: str,
        row: Mapping[str, Any],
        *,
        timestamps: bool = True,
        created: bool = False,
    ) -> None:
        required = {"portfolios": {"account_type": "taxable", "currency": "USD"}}.get(table, {})
        moments = ["created_at", "updated_at"] if timestamps else ["created_at"] * created
        columns = {**required, **row}
        moments = [moment for moment in moments if moment not in columns]
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, [*columns, *moments])),
            sql.SQL(", ").join(
                [sql.Placeholder()] * len(columns) + [sql.SQL("now()")] * len(moments)
            ),
        )
        self.core.execute(query, list(columns.values()))


@contextmanager
def own_book(backend: Backend) -> Iterator[OwnBook]:
    with connect(backend.core, application_name="tests", autocommit=True) as core:
        book = OwnBook(core, backend)
        book.insert_user()
        try:
            yield book
        finally:
            book.remove()


def ask(core: URL, question: Callable[[AsyncSession], Awaitable[Answer]]) -> Answer:
    """What a function that takes a session answers, on an engine of its own."""

    async def asked() -> Answer:
        engine = create_async_engine(core)
        try:
            async with AsyncSession(engine) as session:
                return await question(session)
        finally:
            await engine.dispose()

    return asyncio.run(asked())
