"""Phase 7.5: the daily batch over a range of trading days."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote
from sqlalchemy.engine import URL

from flows.artifacts import Progress, days_grid, rows_table
from flows.heartbeat import phase_flow
from flows.new_prices import take_new_prices
from flows.progress import moved, step
from flows.retrying import phase_task
from ops.backfill import Engine, Mode
from ops.backfill.batch import (
    STREAMS,
    BlockReport,
    PlannedBatch,
    finish_batch,
    merge_reports,
    plan_batch,
    run_block,
    run_symbols,
)
from ops.backfill.dask_engine import dask_client, require_engine, run_on_dask
from ops.backfill.planning import BackfillRequest
from ops.backfill.prices import PriceMatrix
from ops.backfill.starts import PortfolioStart
from ops.batch_jobs import batch_job
from ops.books.run_lock import Fence, exclusive_run
from ops.endpoints import resolve_endpoints
from ops.errors import VerificationError
from ops.nightly import Night, tonight
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.settings import operator_settings
from ops.trading_calendar import last_finished_session


def _run_name() -> str:
    """What is computed; of a nightly run, the session that has just ended."""
    asked = flow_run.parameters
    if asked["last"] is None:
        return f"nightly backfill for {last_finished_session(datetime.now(UTC))}"
    return f"backfill {asked['first']}..{asked['last']}"


@phase_flow(
    "backfill",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=STREAMS),
)
def backfill(
    first: date = FIRST_DAY,
    last: date | None = LAST_DAY,
    mode: Mode = "missing",
    batch_run_id: UUID | None = None,
    engine: Engine = "local",
    scheduler: str | None = None,
) -> State[Any] | BlockReport:
    """Compute and write every analytic row of the range.

    Args:
        first: first day.
        last: last day; without one, as each night, the last finished session whose prices are
            there.
        mode: `missing` does what is not done, `failed` portfolios with a failed day, `all`
            everything again.
        batch_run_id: the job in `batch_jobs` that this run carries out, if somebody waits for one.
        engine: who computes and writes the blocks: threads of this process, or workers of Dask.
        scheduler: address of a Dask scheduler; without one, Dask's workers are processes here.
    """
    core = resolve_endpoints(operator_settings()).core
    with batch_job(core, batch_run_id) as job:
        require_engine(engine, scheduler)
        if last is None:
            take_new_prices()
        night = tonight(core, datetime.now(UTC)) if last is None else None
        request = BackfillRequest(first, night.priced if night else cast(date, last), mode)
        with exclusive_run(core) as fence:
            job.begin()
            report = _run_batch(core, request, fence, engine, scheduler)
            job.complete(sum(report.rows.values()))
    if report.rows:
        written = [{"table": name, "rows": count} for name, count in report.rows.items()]
        rows_table("backfill-rows", "Rows written by this backfill", written)
    if report.rows or report.failures:
        days_grid(core, request.first, request.last)
    _refuse_failures(report.failures)
    return _nothing_new(night) if night and not report.portfolio_days else report


def _nothing_new(night: Night) -> State[Any]:
    """A state of its own, so that the history tells such nights at a glance."""
    get_run_logger().info("nothing new: %s", night.nothing_new)
    return Completed(name="nothing new", message=night.nothing_new)


def _run_batch(
    core: URL, request: BackfillRequest, fence: Fence, engine: Engine, scheduler: str | None
) -> BlockReport:
    batch = plan_task(core, request)
    if batch is None:
        get_run_logger().info(
            "nothing to do: every day of %s..%s is done", request.first, request.last
        )
        return merge_reports([])
    symbols_task(core, _whole(batch), fence)
    with step(BLOCKS):
        if engine == "dask":
            report = dask_task(core, _whole(batch), fence, scheduler)
        else:
            report = _run_blocks(core, batch, fence)
    finish_task(core, _whole(batch), fence)
    return report


BLOCKS = "portfolios"
Block = Sequence[PortfolioStart]


def _run_blocks(core: URL, batch: PlannedBatch, fence: Fence) -> BlockReport:
    futures: list[PrefectFuture[BlockReport]] = [
        block_task.submit(core, cast(Block, quote(block)), number, fence)
        for number, block in enumerate(batch.blocks)
    ]
    return _gathered((future.result() for future in as_completed(futures)), len(futures))


def _gathered(ended: Iterator[BlockReport], blocks: int) -> BlockReport:
    """The sum of the blocks' reports, told as they end."""
    reports: list[BlockReport] = []
    progress = Progress("backfill-progress", "Blocks of portfolios")
    for report in ended:
        reports.append(report)
        progress.show(len(reports) / blocks)
        moved(BLOCKS, len(reports), blocks, "blocks")
        done = merge_reports(reports)
        get_run_logger().info(
            "block %d of %d: %d portfolio days, %d rows so far",
            len(reports),
            blocks,
            done.portfolio_days,
            sum(done.rows.values()),
        )
    return merge_reports(reports)


@phase_task("plan and read")
def plan_task(core: URL, request: BackfillRequest) -> PlannedBatch | None:
    """Find what is not done, and what it starts from."""
    batch = plan_batch(core, request)
    if batch is not None:
        get_run_logger().info(
            "%d portfolios, %d symbols, %d days of prices",
            len(batch.portfolios),
            len(batch.symbols),
            len(batch.benchmarks.dates),
        )
        _tell_of_benchmarks(batch.benchmarks)
        _tell_of_capital(batch.portfolios)
    return batch


def _tell_of_benchmarks(prices: PriceMatrix) -> None:
    ends = prices.benchmarks_that_end()
    if ends:
        listed = ", ".join(f"{etf} (last price: {day or 'none'})" for etf, day in ends.items())
        get_run_logger().warning(
            "no newest price of %s: what rests on it is left out, all else is computed", listed
        )


def _tell_of_capital(portfolios: Sequence[PortfolioStart]) -> None:
    for each in portfolios:
        if each.assumed is not None:
            get_run_logger().warning("capital of %s: %s", each.span.name, each.assumed)


@phase_task("symbols")
def symbols_task(core: URL, batch: PlannedBatch, fence: Fence) -> None:
    """Write the symbols' own rows for the last day."""
    active = run_symbols(core, batch, fence.check)
    get_run_logger().info("%d active symbols as of %s", active, batch.days[-1])


@phase_task("portfolios", told=False, task_run_name="portfolios, block {number}")
def block_task(core: URL, block: Block, number: int, fence: Fence) -> BlockReport:
    """Compute and write one block of portfolios."""
    return run_block(core, block, fence.check)


@phase_task("portfolios on Dask", told=False)
def dask_task(core: URL, batch: PlannedBatch, fence: Fence, scheduler: str | None) -> BlockReport:
    """Have Dask's workers compute and write all blocks."""
    with dask_client(scheduler) as client:
        return _gathered(run_on_dask(client, core, batch.blocks, fence), len(batch.blocks))


@phase_task("record the days")
def finish_task(core: URL, batch: PlannedBatch, fence: Fence) -> None:
    """Record the days on which every live portfolio is done."""
    finish_batch(core, batch, fence.check)


def _whole(batch: PlannedBatch) -> PlannedBatch:
    """Keep Prefect from walking through all portfolios in search of futures."""
    return cast(PlannedBatch, quote(batch))


def _refuse_failures(failures: Sequence[tuple[str, date, str]]) -> None:
    for name, day, reason in failures:
        get_run_logger().warning("%s stopped on %s: %s", name, day, reason)
    if failures:
        name, day, reason = failures[0]
        raise VerificationError(
            f"{len(failures)} portfolio(s) stopped at a day that cannot be stored, first {name} "
            f"on {day}: {reason}; correct its data and run `sigmasight backfill --mode failed`"
        )
