"""The batch: plan it, run its blocks, finish it. Every step can be killed and run again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import numpy as np
from sqlalchemy.engine import URL

from ops.backfill.inputs import BatchInputs, PortfolioInputs, load_inputs
from ops.backfill.planning import BackfillRequest, PortfolioSpan, plan_spans
from ops.backfill.portfolio_block import PortfolioFigures, compute
from ops.backfill.portfolio_rows import all_rows
from ops.backfill.positions import Positions
from ops.backfill.prices import PriceMatrix, check_coverage, load_prices
from ops.backfill.starts import PortfolioStart, load_starts
from ops.backfill.symbol_figures import SymbolFigures, symbol_figures
from ops.backfill.symbol_rows import write_symbols
from ops.backfill.table_rows import TableRows
from ops.backfill.writer import Guard, PortfolioRows, RolledPositions, write_portfolio
from ops.connection import session_at
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
# A block reads and computes for itself, so its size bounds a run's memory, whatever the book's.
MOST_POSITIONS = 300
# Enough blocks for one to be the last of both streams at about the same time.
LEAST_BLOCKS = 12


@dataclass(frozen=True)
class PlannedBatch:
    """What one run works on.

    Attributes:
        symbols: those whose prices it can need, of all live portfolios.
        benchmarks: the closes of the factor ETFs.
        blocks: portfolios that are computed and written together.
    """

    request: BackfillRequest
    symbols: Sequence[str]
    benchmarks: PriceMatrix
    blocks: Sequence[Sequence[PortfolioStart]]

    @property
    def portfolios(self) -> list[PortfolioStart]:
        """Those of all blocks."""
        return [portfolio for block in self.blocks for portfolio in block]

    @property
    def days(self) -> tuple[date, ...]:
        """From the first to the last day of any portfolio."""
        return _days(self.portfolios)


@dataclass(frozen=True)
class BlockReport:
    """What one block left: days done, rows by table, days that failed and why."""

    portfolio_days: int
    rows: dict[str, int]
    failures: Sequence[tuple[str, date, str]]


def plan_batch(core: URL, request: BackfillRequest) -> PlannedBatch | None:
    """Find what is not done, and what it starts from; None: nothing to do.

    Raises:
        BadInputError: portfolios or prices are missing.
    """
    with session_at(core, "backfill", snapshot=True) as connection:
        spans = plan_spans(connection, request)
        if not spans:
            return None
        starts = load_starts(connection, spans)
        days = _days(starts)
        symbols = [row[0] for row in connection.execute(statement("backfill/symbols")).fetchall()]
        benchmarks = load_prices(connection, (), days[0], days[-1])
        check_coverage(connection, benchmarks, symbols, days[0])
    return PlannedBatch(
        request, sorted({*symbols, *benchmarks.symbols}), benchmarks, _blocks(starts)
    )


def run_symbols(core: URL, batch: PlannedBatch, guard: Guard) -> int:
    """Write the symbols' own rows for the last day; returns the number of active symbols.

    Raises:
        BadInputError: factor definitions are missing.
    """
    with session_at(core, "backfill", autocommit=True) as connection:
        return write_symbols(connection, batch.days[-1], guard)


def run_block(
    core: URL, block: Sequence[PortfolioStart], guard: Guard, *, once: bool = False
) -> BlockReport:
    """Read, compute and write a block, one transaction per portfolio.

    Args:
        once: leave out what was written already in this run, by a block that is carried out twice.
    """
    with session_at(core, "backfill", snapshot=True) as connection:
        inputs = load_inputs(connection, block)
    figures = symbol_figures(inputs.prices, inputs.prices.rows_of(_days(block)))
    reports = []
    with session_at(core, "backfill", autocommit=True) as connection:
        for portfolio in inputs.portfolios:
            rows = portfolio_rows(portfolio, inputs, figures)
            write_portfolio(connection, rows, guard, once=once)
            reports.append(_report(portfolio.span, rows))
    return merge_reports(reports)


def finish_batch(core: URL, batch: PlannedBatch, guard: Guard) -> None:
    """Record the days on which every live portfolio is done."""
    days = list(batch.days)
    with session_at(core, "backfill", autocommit=True) as connection:
        with connection.transaction():
            guard(connection)
            connection.execute("DELETE FROM batch_run_tracking WHERE run_date = ANY(%s)", [days])
            connection.execute(
                statement("backfill/tracking"), {"days": days, "symbols": list(batch.symbols)}
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


def _days(portfolios: Sequence[PortfolioStart]) -> tuple[date, ...]:
    spans = [portfolio.span for portfolio in portfolios]
    return trading_days(min(span.first for span in spans), max(span.last for span in spans))


def _blocks(portfolios: Sequence[PortfolioStart]) -> list[list[PortfolioStart]]:
    """Portfolios dealt out over blocks of bounded size, the largest first."""
    ordered = sorted(portfolios, key=lambda p: (-p.span.positions, p.span.name))
    positions = sum(portfolio.span.positions for portfolio in portfolios)
    count = min(len(ordered), max(LEAST_BLOCKS, -(-positions // MOST_POSITIONS)))
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
