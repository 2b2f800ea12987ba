"""The batch: plan it, run its blocks, finish it. Every step can be killed and run again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import numpy as np
import psycopg
from sqlalchemy.engine import URL

from ops.backfill.inputs import BatchInputs, PortfolioInputs, load_inputs
from ops.backfill.planning import BackfillRequest, PortfolioSpan, plan_spans
from ops.backfill.portfolio_block import PortfolioFigures, compute
from ops.backfill.portfolio_rows import all_rows
from ops.backfill.positions import Positions
from ops.backfill.symbol_figures import SymbolFigures, symbol_figures
from ops.backfill.symbol_rows import write_symbols
from ops.backfill.table_rows import TableRows
from ops.backfill.writer import Guard, PortfolioRows, RolledPositions, write_portfolio
from ops.connection import connect, explained
from ops.sql_files import statement
from ops.trading_calendar import trading_days

# Fresh statistics for the planner, of the tables that the batch writes: autovacuum comes a minute
# later, and never to a table of a few rows.
_ANALYZE = (
    "ANALYZE position_factor_exposures, position_market_betas, position_interest_rate_betas, "
    "position_volatility, factor_exposures, portfolio_snapshots, correlation_calculations, "
    "pairwise_correlations, stress_test_results, symbol_factor_exposures, symbol_daily_metrics, "
    "portfolios, positions, batch_run_tracking, ops.backfill_ledger, ops.starting_capital"
)
# Two streams keep two cores of a server busy; more only wait for each other.
STREAMS = 2
MOST_BLOCKS = 12


@dataclass(frozen=True)
class PlannedBatch:
    """What one run works on: the inputs, the symbols' figures, and blocks of portfolios."""

    request: BackfillRequest
    inputs: BatchInputs
    figures: SymbolFigures
    blocks: Sequence[Sequence[PortfolioInputs]]

    @property
    def last(self) -> date:
        """The last day that any portfolio is carried to."""
        return max(item.span.last for block in self.blocks for item in block)


@dataclass(frozen=True)
class BlockReport:
    """What one block left: days done, rows by table, days that failed and why."""

    portfolio_days: int
    rows: dict[str, int]
    failures: Sequence[tuple[str, date, str]]


def plan_batch(core: URL, request: BackfillRequest) -> PlannedBatch | None:
    """Read and compute everything that does not depend on a portfolio; None: nothing to do.

    Raises:
        BadInputError: portfolios, factor definitions or prices are missing.
    """
    with _reading(core) as connection:
        spans = plan_spans(connection, request)
        if not spans:
            return None
        inputs = load_inputs(connection, spans)
    days = trading_days(min(s.first for s in spans), max(s.last for s in spans))
    figures = symbol_figures(inputs.prices, inputs.prices.rows_of(days))
    return PlannedBatch(request, inputs, figures, _blocks(inputs.portfolios))


def run_symbols(core: URL, batch: PlannedBatch, guard: Guard) -> int:
    """Write the symbols' own rows for the last day; returns the number of active symbols."""
    with _writing(core) as connection:
        return write_symbols(connection, batch.inputs, batch.figures, batch.last, guard)


def run_block(
    core: URL, batch: PlannedBatch, block: Sequence[PortfolioInputs], guard: Guard
) -> BlockReport:
    """Compute and write a block, one transaction per portfolio."""
    reports = []
    with _writing(core) as connection:
        for inputs in block:
            rows = portfolio_rows(inputs, batch.inputs, batch.figures)
            write_portfolio(connection, rows, guard)
            reports.append(_report(inputs.span, rows))
    return merge_reports(reports)


def finish_batch(core: URL, batch: PlannedBatch, guard: Guard) -> None:
    """Record the days on which every live portfolio is done."""
    days = trading_days(min(p.span.first for p in batch.inputs.portfolios), batch.last)
    symbols = list(batch.inputs.prices.symbols)
    with _writing(core) as connection:
        with connection.transaction():
            guard(connection)
            connection.execute(
                "DELETE FROM batch_run_tracking WHERE run_date = ANY(%s)", [list(days)]
            )
            connection.execute(
                statement("backfill/tracking"), {"days": list(days), "symbols": symbols}
            )
        connection.execute(_ANALYZE)


def portfolio_rows(
    inputs: PortfolioInputs, batch: BatchInputs, figures: SymbolFigures
) -> PortfolioRows:
    """Every row of a portfolio's span; from the first day that does not fit its columns on,
    nothing but the reason, because later days build on it."""
    computed = compute(inputs, batch, figures)
    tables = all_rows(computed, batch)
    misfits = [found for table in tables if (found := table.first_day_that_does_not_fit())]
    if not misfits:
        return _packed(inputs.span, computed, tables, None)
    day, reason = min(misfits)
    failed = (inputs.span.days[day], reason)
    if day == 0:
        return _nothing_done(computed.inputs, failed)
    days = replace(inputs.span, last=inputs.span.days[day - 1])
    shorter = replace(computed.inputs, span=days)
    computed = compute(shorter, batch, figures)
    return _packed(inputs.span, computed, all_rows(computed, batch), failed)


def _packed(
    span: PortfolioSpan,
    computed: PortfolioFigures,
    tables: Sequence[TableRows],
    failed: tuple[date, str] | None,
) -> PortfolioRows:
    return PortfolioRows(
        portfolio_id=span.portfolio_id,
        first=span.first,
        last=span.last,
        done=computed.inputs.span.days,
        tables={rows.table: rows.columns for rows in tables},
        positions=_rolled_positions(computed),
        equity=float(computed.history.equity[-1]),
        capital=_capital(computed.inputs),
        failed=failed,
        counts={rows.table: len(rows.day) for rows in tables},
    )


def _rolled_positions(computed: PortfolioFigures) -> RolledPositions:
    """Each position as of the last day on which it was open: what is left of it, at that close.
    Private assets keep the value they have."""
    positions, holdings = computed.inputs.positions, computed.holdings
    last = computed.days - 1 - holdings.open[::-1].argmax(axis=0)
    listed = holdings.listed & holdings.open.any(axis=0)
    price = np.where(listed, computed.figures.mark[last, holdings.column], np.nan)
    units = positions.quantity * positions.multiplier
    return RolledPositions(
        ids=_ids(positions),
        market_value=price * units,
        unrealized_pnl=(price - positions.entry_price) * units,
        last_price=price,
    )


def _capital(inputs: PortfolioInputs) -> float | None:
    return inputs.prior.equity if inputs.prior.is_start else None


def _ids(positions: Positions) -> list[UUID]:
    return [UUID(bytes=bytes(identifier)) for identifier in positions.ids]


def _nothing_done(inputs: PortfolioInputs, failed: tuple[date, str]) -> PortfolioRows:
    span, unknown = inputs.span, np.full(len(inputs.positions), np.nan)
    return PortfolioRows(
        portfolio_id=span.portfolio_id,
        first=span.first,
        last=span.last,
        done=[],
        tables={},
        positions=RolledPositions(_ids(inputs.positions), unknown, unknown, unknown),
        equity=inputs.prior.equity,
        capital=_capital(inputs),
        failed=failed,
    )


def _blocks(portfolios: Sequence[PortfolioInputs]) -> list[list[PortfolioInputs]]:
    """Portfolios dealt out over a bounded number of blocks, the largest first."""
    ordered = sorted(portfolios, key=lambda p: (-len(p.positions), p.span.name))
    count = min(len(ordered), MOST_BLOCKS)
    return [ordered[start::count] for start in range(count)]


def merge_reports(reports: Sequence[BlockReport]) -> BlockReport:
    """The sum of several blocks' reports."""
    rows: dict[str, int] = {}
    for report in reports:
        for table, count in report.rows.items():
            rows[table] = rows.get(table, 0) + count
    failures = [failure for report in reports for failure in report.failures]
    return BlockReport(sum(r.portfolio_days for r in reports), rows, failures)


def _report(span: PortfolioSpan, rows: PortfolioRows) -> BlockReport:
    failures = [] if rows.failed is None else [(span.name, *rows.failed)]
    return BlockReport(len(rows.done), rows.counts, failures)


@contextmanager
def _reading(core: URL) -> Iterator[psycopg.Connection]:
    with (
        explained(core),
        connect(core, application_name="backfill", read_only=True) as connection,
    ):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


@contextmanager
def _writing(core: URL) -> Iterator[psycopg.Connection]:
    with (
        explained(core),
        connect(core, application_name="backfill", autocommit=True) as connection,
    ):
        yield connection
