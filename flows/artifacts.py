"""What a run leaves in the dashboard besides its log: counts, checks, progress and links."""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, cast
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.runtime import flow_run
from sqlalchemy.engine import URL

from flows.run_history import only_noted
from ops.books.ledger import ledger_grid
from ops.books.session import open_books
from ops.trading_calendar import trading_days

MOST_LINES = 200
_PAUSE_SECONDS = 0.5


class Progress:
    """A progress bar in the dashboard."""

    def __init__(self, key: str, description: str) -> None:
        self._shown_at = 0.0
        # Called from synchronous code, both return their value, not a coroutine.
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=description))

    def show(self, share: float) -> None:
        """Set the bar to a share from 0 to 1; each time costs a call, so not more than twice a
        second."""
        if share < 1 and time.monotonic() - self._shown_at < _PAUSE_SECONDS:
            return
        self._shown_at = time.monotonic()
        update_progress_artifact(self._artifact, progress=100.0 * min(share, 1.0))


@only_noted()
def rows_table(key: str, description: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of rows that share their keys."""
    create_table_artifact([dict(row) for row in rows], key=key, description=description)


@only_noted()
def days_grid(core: URL, first: date, last: date) -> None:
    """The ledger of a range as a grid: a line per portfolio, a letter per trading day."""
    days = trading_days(first, last)
    with open_books(core) as session:
        rows = ledger_grid(session, days, MOST_LINES)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{name:<{width}} {_by_month(letters, days)}" for name, letters in rows]
    months = sorted({f"{day:%Y-%m}" for day in days})
    create_markdown_artifact(
        "\n".join([f"A block is a month, {months[0]} to {months[-1]}.", "```", *lines, "```"]),
        key="backfill-days",
        description="Portfolio by trading day: ■ done, ✗ failed, · no record",
    )


def _by_month(letters: str, days: Sequence[date]) -> str:
    months = groupby(zip(letters, days, strict=True), key=lambda pair: pair[1].replace(day=1))
    return " ".join("".join(letter for letter, _ in month) for _, month in months)


def links_to_phases() -> dict[str, str]:
    """Where the dashboard shows the runs that this one has begun: first word of their names →
    path, which stays right when the server comes back at another port."""
    if flow_run.id is None:
        return {}
    begun = FlowRunFilter(
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(str(flow_run.id))])
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=begun)
    return {run.name.split()[0]: f"/runs/flow-run/{run.id}" for run in runs}
