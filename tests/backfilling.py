"""A backfill without a Prefect server, for tests of what it writes."""

from sqlalchemy.engine import URL

from ops.backfill.batch import (
    BlockReport,
    finish_batch,
    merge_reports,
    plan_batch,
    run_block,
    run_symbols,
)
from ops.backfill.planning import BackfillRequest
from ops.backfill.writer import Guard


def backfill(core: URL, request: BackfillRequest, guard: Guard = lambda _: None) -> BlockReport:
    """The steps of the flow, one block after the other."""
    batch = plan_batch(core, request)
    if batch is None:
        return merge_reports([])
    run_symbols(core, batch, guard)
    reports = [run_block(core, block, guard) for block in batch.blocks]
    finish_batch(core, batch, guard)
    return merge_reports(reports)
