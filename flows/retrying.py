"""Tasks that are tried again when, and only when, trying again can help."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import psycopg
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from flows.progress import as_step
from ops.errors import BusyError, DatabaseUnavailableError
from ops.processes import stopped_meanwhile
from ops.settings import operator_settings

P = ParamSpec("P")
R = TypeVar("R")

DELAYS_SECONDS = [1, 2, 4]
TRANSIENT = (
    DatabaseUnavailableError,
    BusyError,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
)


def phase_task(
    name: str, *, told: bool = True, **options: Any
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task for a step of a phase.

    Nothing is cached: the database is the truth, and a rebuilt one must never count as done.

    Args:
        told: whether who watches is told of it; not of the parts of a step.
    """
    options.setdefault("task_run_name", name)
    declare = _declaration(name, options)

    def declared(work: Callable[P, R]) -> Task[P, R]:
        step = declare(work)
        if told:
            # Afterwards, because a task is known by the place of its function.
            step.fn = as_step(name, work)
        return step

    return declared


def _declaration(name: str, options: dict[str, Any]) -> Callable[[Callable[P, R]], Task[P, R]]:
    return task(
        name=name,
        retries=len(DELAYS_SECONDS),
        retry_delay_seconds=list(DELAYS_SECONDS),
        retry_jitter_factor=0.3,
        retry_condition_fn=_is_transient,
        cache_policy=NO_CACHE,
        persist_result=False,
        **options,
    )


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """What `down` has stopped is not started again by a step that it has cut off."""
    transient = isinstance(state.data, TRANSIENT)
    return transient and not stopped_meanwhile(operator_settings().state)
