"""Prefect's command line, for the server's process: `python -m flows.prefect_process server start`.

Prefect 3.8 inserts the runs that a schedule plans with more keys than the table has columns, and
relies on SQLAlchemy passing over one of them, the state, which is inserted on its own afterwards.
SQLAlchemy 2.1 refuses that unless it is told so. Without this no schedule ever plans a run.

The same place names planned runs, which Prefect calls by two random words until they start.
"""

from collections.abc import MutableMapping
from typing import Any

from prefect.cli import app
from prefect.server.database.orm_models import FlowRun


def let_schedules_plan_runs() -> None:
    """Tell SQLAlchemy that a run's state is not part of its row, and what the run is called."""
    FlowRun.__dict__["state"].bulk_dml_setter = _plan


def _plan(_model: type[FlowRun], row: MutableMapping[str, Any], _state: object) -> None:
    row.pop("state")
    if by := row.get("created_by"):
        row["name"] = f"{by['display_value']}, {row['expected_start_time']:%Y-%m-%d}"


if __name__ == "__main__":
    let_schedules_plan_runs()
    app()
