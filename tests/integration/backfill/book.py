"""A small book in a Core database, built by SQL; the backfill; and what it left, as frames."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from app.models import Base
from ops.backfill.batch import BlockReport
from ops.backfill.planning import BackfillRequest, Mode
from ops.backfill.writer import Guard
from ops.connection import connect
from ops.content_hash import TableHash
from tests.backfilling import backfill
from tests.database_content import database_hash

FIRST, LAST = date(2025, 7, 1), date(2025, 7, 22)
# Written out, because the calendar's import warns before pytest's filters are in place.
DAYS = tuple(date(2025, 7, day) for day in (1, 2, 3, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18, 21, 22))
LONG_AGO = date(2025, 3, 3)

ANALYTIC_TABLES = (
    "portfolio_snapshots",
    "position_market_betas",
    "position_interest_rate_betas",
    "position_volatility",
    "position_factor_exposures",
    "factor_exposures",
    "correlation_calculations",
    "pairwise_correlations",
    "stress_test_results",
    "batch_run_tracking",
    "symbol_universe",
    "symbol_daily_metrics",
)
STATE_TABLES = ("portfolios", "positions")

OWNER: Mapping[str, Any] = {
    "id": UUID(int=1),
    "email": "owner@example.com",
    "hashed_password": "-",
    "full_name": "Owner",
    "is_active": True,
}

Number = float | str | Decimal


def session_after(day: date, sessions: int = 1) -> date:
    """The n-th session after one of DAYS."""
    return DAYS[DAYS.index(day) + sessions]


@dataclass(frozen=True)
class Book:
    """Writes what a test wants to be there and reads what the backfill left.

    Attributes:
        session: for all of that, where one is kept open; else each statement opens its own.
    """

    url: URL
    closes: pd.DataFrame
    session: psycopg.Connection | None = None

    @contextmanager
    def kept_open(self) -> Iterator["Book"]:
        """The same over one connection."""
        with self._connected() as session:
            yield replace(self, session=session)

    def _connected(self) -> AbstractContextManager[psycopg.Connection]:
        if self.session is not None:
            return nullcontext(self.session)
        return connect(self.url, application_name="tests", autocommit=True)

    def portfolio(self, name: str, equity: Number | None = 1_000_000, **columns: Any) -> UUID:
        """A portfolio with its starting capital."""
        return self.insert(
            "portfolios",
            user_id=OWNER["id"],
            name=name,
            account_name=name,
            account_type="taxable",
            currency="USD",
            equity_balance=equity,
            **columns,
        )

    def position(
        self,
        portfolio: UUID,
        symbol: str,
        quantity: Number,
        *,
        entry: date = LONG_AGO,
        price: Number | None = None,
        **columns: Any,
    ) -> UUID:
        """A stock position unless `columns` say otherwise; bought at the close of its entry."""
        if price is None:
            price = float(self.closes[symbol].loc[:entry].dropna().iloc[-1])
        kind = "LONG" if float(quantity) >= 0 else "SHORT"
        given = {"position_type": kind, "investment_class": "PUBLIC", **columns}
        return self.insert(
            "positions",
            portfolio_id=portfolio,
            symbol=symbol,
            quantity=quantity,
            entry_price=price,
            entry_date=entry,
            **given,
        )

    def private(self, portfolio: UUID, symbol: str, price: Number, **columns: Any) -> UUID:
        """One unit of something without a market."""
        return self.position(
            portfolio, symbol, 1, price=price, investment_class="PRIVATE", **columns
        )

    def option(self, portfolio: UUID, symbol: str, quantity: Number, **columns: Any) -> UUID:
        """Calls on S00 at an entry price of 2.5."""
        given = {"position_type": "LC", "underlying_symbol": "S00", "price": "2.5", **columns}
        return self.position(portfolio, symbol, quantity, investment_class="OPTIONS", **given)

    def sale(self, portfolio: UUID, position: UUID, day: date, units: Number, pnl: Number) -> None:
        """A lot closed, as the backend books it."""
        self.insert(
            "position_realized_events",
            portfolio_id=portfolio,
            position_id=position,
            trade_date=day,
            quantity_closed=units,
            realized_pnl=pnl,
        )

    def flow(self, portfolio: UUID, day: date, amount: Number, **columns: Any) -> None:
        """A contribution, or a withdrawal if the amount is negative."""
        self.insert(
            "equity_changes",
            portfolio_id=portfolio,
            change_type="CONTRIBUTION" if float(amount) > 0 else "WITHDRAWAL",
            amount=abs(Decimal(str(amount))),
            change_date=day,
            created_by_user_id=OWNER["id"],
            **columns,
        )

    def insert(self, table: str, **columns: Any) -> UUID:
        """One row with a new id."""
        with self._connected() as connection:
            return insert_row(connection, table, {"id": uuid4(), **columns})

    def set_close(self, symbol: str, day: date, close: Number | None) -> None:
        """Correct a price, or take it away."""
        self.execute("DELETE FROM market_data_cache WHERE symbol = %s AND date = %s", [symbol, day])
        if close is not None:
            self.insert(
                "market_data_cache", symbol=symbol, date=day, close=close, data_source="test"
            )

    def no_prices(self, where: str, *parameters: Any) -> None:
        """Take prices away."""
        self.execute("DELETE FROM market_data_cache WHERE " + where, list(parameters))

    def execute(self, query: Any, parameters: Sequence[Any] = ()) -> int:
        with self._connected() as connection:
            return connection.execute(query, parameters or None).rowcount

    def run(
        self,
        first: date = FIRST,
        last: date = LAST,
        mode: Mode = "missing",
        guard: Guard = lambda _: None,
    ) -> BlockReport:
        """Backfill a range."""
        return backfill(self.url, BackfillRequest(first, last, mode), guard)

    def frame(self, query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """The rows of a query, as PostgreSQL returns them (Decimal, date, UUID)."""
        with self._connected() as connection:
            cursor = connection.execute(query, parameters or None)
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return pd.DataFrame(cursor.fetchall(), columns=pd.Index(names), dtype=object)

    def value(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """The only value of a query."""
        return self.frame(query, parameters).iloc[0, 0]

    def portfolio_named(self, name: str) -> UUID:
        """The id of a portfolio."""
        found = self.value("SELECT id FROM portfolios WHERE name = %s", [name])
        assert isinstance(found, UUID)
        return found

    def snapshots(self, portfolio: UUID) -> pd.DataFrame:
        """A portfolio's snapshots by day."""
        query = "SELECT * FROM portfolio_snapshots WHERE portfolio_id = %s ORDER BY snapshot_date"
        return self.frame(query, [portfolio]).set_index("snapshot_date")

    def equity(self, portfolio: UUID) -> list[Decimal]:
        """The stored equity, day by day."""
        return list(self.snapshots(portfolio)["equity_balance"])

    def ledger(self, portfolio: UUID) -> Mapping[date, str]:
        """What the ledger says of each day."""
        query = "SELECT calculation_date, status FROM ops.backfill_ledger WHERE portfolio_id = %s"
        return dict(self.frame(query, [portfolio]).itertuples(index=False, name=None))

    def content(self) -> dict[str, TableHash]:
        """Everything that the backfill writes, without ids and time stamps."""
        return database_hash(self.url, (*ANALYTIC_TABLES, *STATE_TABLES, "symbol_factor_exposures"))


def insert_row(connection: psycopg.Connection, table: str, row: Mapping[str, Any]) -> Any:
    """One row, with time stamps where the table has them; returns its first column."""
    known = Base.metadata.tables[table].c
    stamps = {name: "2025-01-02" for name in ("created_at", "updated_at") if name in known}
    full = {**row, **stamps}
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, full)),
            sql.SQL(", ").join([sql.Placeholder()] * len(full)),
        ),
        [Jsonb(value) if isinstance(value, dict) else value for value in full.values()],
    )
    return next(iter(full.values()))


def copy_closes(connection: psycopg.Connection, closes: pd.DataFrame) -> None:
    """Load the closes into market_data_cache."""
    prices = closes.stack().dropna()
    query = (
        "COPY market_data_cache (id, symbol, date, close, data_source, created_at, updated_at) "
        "FROM STDIN"
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for (day, symbol), close in prices.items():
            copy.write_row(
                [uuid4(), symbol, day, f"{close:.4f}", "test", "2025-01-02", "2025-01-02"]
            )
