"""Runs whose process died without a word are marked Crashed by the next command."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from prefect import get_client, tags
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed

_PREFIX = "process"
MOST_RUNS = 200


@contextmanager
def own_process() -> Iterator[None]:
    """Tag the runs of this block with the process they live in."""
    process = psutil.Process()
    with tags(f"{_PREFIX}:{platform.node()}:{process.pid}:{process.create_time():.2f}"):
        yield


def mark_crashed_runs() -> list[str]:
    """Mark the unfinished runs of dead processes of this machine; returns their names."""
    unfinished = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
        )
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=unfinished, sort=FlowRunSort.START_TIME_DESC, limit=MOST_RUNS
        )
        dead = [run for run in runs if _is_dead(run)]
        for run in dead:
            message = "its process is gone; run the same command again to finish it"
            client.set_flow_run_state(run.id, Crashed(message=message), force=True)
    return [run.name for run in dead]


def _is_dead(run: FlowRun) -> bool:
    return any(_names_dead_process(tag) for tag in run.tags)


def _names_dead_process(tag: str) -> bool:
    prefix, _, rest = tag.partition(":")
    if prefix != _PREFIX or rest.count(":") < 2:
        return False
    node, pid, started = rest.rsplit(":", 2)
    if node != platform.node():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 1.0
    except psutil.NoSuchProcess:
        return True
