"""One transaction per portfolio: its key range replaced, its state rolled forward, its days
recorded as done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from ops.backfill.binary_copy import Rows, copy_stream
from ops.sql_files import statement

Guard = Callable[[psycopg.Connection], None]


@dataclass(frozen=True)
class RolledPositions:
    """What positions show in the end; arrays (P,), NaN leaves the stored value."""

    ids: Sequence[UUID]
    market_value: NDArray[np.float64]
    unrealized_pnl: NDArray[np.float64]
    last_price: NDArray[np.float64]


@dataclass(frozen=True)
class PortfolioRows:
    """Everything that a range of days of one portfolio leaves in Core.

    Attributes:
        done: the computed days, ascending.
        failed: the first day that could not be stored and why; the days after it stay undone.
        equity: after the last computed day.
        capital: before the first computed day, if it is the portfolio's first.
    """

    portfolio_id: UUID
    first: date
    last: date
    done: Sequence[date]
    tables: Mapping[str, Rows]
    positions: RolledPositions
    equity: float
    capital: float | None = None
    failed: tuple[date, str] | None = None
    counts: dict[str, int] = field(default_factory=dict)


# Child before parent. Rows hang on the portfolio, or on its positions.
_DELETIONS = (
    "DELETE FROM pairwise_correlations USING correlation_calculations AS c "
    "WHERE correlation_calculation_id = c.id AND c.portfolio_id = %(portfolio)s "
    "AND c.calculation_date >= %(first)s AND c.calculation_date < %(last)s::date + 1",
    "DELETE FROM correlation_calculations WHERE portfolio_id = %(portfolio)s "
    "AND calculation_date >= %(first)s AND calculation_date < %(last)s::date + 1",
    "DELETE FROM stress_test_results WHERE portfolio_id = %(portfolio)s "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
    "DELETE FROM factor_exposures WHERE portfolio_id = %(portfolio)s "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
    "DELETE FROM position_market_betas WHERE portfolio_id = %(portfolio)s "
    "AND calc_date BETWEEN %(first)s AND %(last)s",
    "DELETE FROM position_interest_rate_betas WHERE portfolio_id = %(portfolio)s "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
    "DELETE FROM position_factor_exposures WHERE position_id = ANY(%(positions)s) "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
    "DELETE FROM position_volatility WHERE position_id = ANY(%(positions)s) "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
    # Also those of later days: a copied history may go on, and no day may follow from another one.
    "DELETE FROM portfolio_snapshots WHERE portfolio_id = %(portfolio)s "
    "AND snapshot_date >= %(first)s",
    "DELETE FROM ops.backfill_ledger WHERE portfolio_id = %(portfolio)s "
    "AND calculation_date BETWEEN %(first)s AND %(last)s",
)


def write_portfolio(
    connection: psycopg.Connection, rows: PortfolioRows, guard: Guard, *, once: bool = False
) -> None:
    """Replace the range of one portfolio in one transaction; if `once`, unless this run, by its
    fencing number, has done so already.

    Raises:
        FencedOutError: a newer run has taken over (raised by `guard`).
    """
    with connection.transaction():
        guard(connection)
        if once and not _is_first(connection, rows.portfolio_id):
            return
        _delete_range(connection, rows)
        for table, columns in rows.tables.items():
            copy_rows(connection, table, columns)
        _roll_forward(connection, rows)
        _record(connection, rows)


def _is_first(connection: psycopg.Connection, portfolio: UUID) -> bool:
    """Leave the run's token; whether it was not there. Who comes second waits for the first."""
    return bool(
        connection.execute(
            "INSERT INTO ops.backfill_tokens AS t (portfolio_id, number) "
            "SELECT %s, number FROM ops.fencing ON CONFLICT (portfolio_id) "
            "DO UPDATE SET number = excluded.number WHERE t.number < excluded.number",
            [portfolio],
        ).rowcount
    )


def copy_rows(connection: psycopg.Connection, table: str, columns: Rows) -> None:
    """COPY rows, in binary, into the named columns of a table."""
    parts = list(columns.values())
    if not parts or not len(parts[0]):
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in copy_stream(parts):
            copy.write(piece)


def _delete_range(connection: psycopg.Connection, rows: PortfolioRows) -> None:
    bounds = {
        "portfolio": rows.portfolio_id,
        "positions": list(rows.positions.ids),
        "first": rows.first,
        "last": rows.last,
    }
    for deletion in _DELETIONS:
        connection.execute(deletion, bounds)


def _roll_forward(connection: psycopg.Connection, rows: PortfolioRows) -> None:
    """Carry the portfolio's equity on; what it was before the very first time is kept for ever."""
    if rows.capital is not None:
        connection.execute(
            "INSERT INTO ops.starting_capital AS c (portfolio_id, equity) "
            "VALUES (%s, round(%s::numeric, 2)) ON CONFLICT (portfolio_id) "
            "DO UPDATE SET equity = excluded.equity WHERE c.equity <> excluded.equity",
            [rows.portfolio_id, rows.capital],
        )
    connection.execute(
        "UPDATE portfolios SET equity_balance = round(%s::numeric, 2), updated_at = now() "
        "WHERE id = %s AND equity_balance IS DISTINCT FROM round(%s::numeric, 2)",
        [rows.equity, rows.portfolio_id, rows.equity],
    )
    _mark_positions(connection, rows.positions)


def _mark_positions(connection: psycopg.Connection, positions: RolledPositions) -> None:
    connection.execute(
        statement("backfill/mark_positions"),
        [
            list(positions.ids),
            positions.market_value.tolist(),
            positions.unrealized_pnl.tolist(),
            positions.last_price.tolist(),
        ],
    )


def _record(connection: psycopg.Connection, rows: PortfolioRows) -> None:
    connection.execute(
        "INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status) "
        "SELECT %s, day, 'done' FROM unnest(%s::date[]) AS day",
        [rows.portfolio_id, list(rows.done)],
    )
    if rows.failed is not None:
        connection.execute(
            "INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status, reason) "
            "VALUES (%s, %s, 'failed', %s)",
            [rows.portfolio_id, *rows.failed],
        )
