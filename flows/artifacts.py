"""What a run leaves in the dashboard besides its log: counts, checks, progress and links."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.runtime import flow_run


class Progress:
    """A progress bar in the dashboard that counts `total` steps."""

    def __init__(self, key: str, description: str, total: int) -> None:
        self._total = total
        self._done = 0
        # Called from synchronous code, both return their value, not a coroutine.
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=description))

    def advance(self) -> None:
        """Count one step."""
        self._done += 1
        self.show(self._done / self._total)

    def show(self, share: float) -> None:
        """Set the bar to a share from 0 to 1."""
        update_progress_artifact(self._artifact, progress=100.0 * min(share, 1.0))


def count_table(key: str, description: str, rows: Mapping[str, int]) -> None:
    """A table of row counts by table."""
    rows_table(key, description, [{"table": name, "rows": count} for name, count in rows.items()])


def rows_table(key: str, description: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of rows that share their keys."""
    create_table_artifact([dict(row) for row in rows], key=key, description=description)


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
