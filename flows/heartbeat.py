"""Flows whose runs tell the server that they live; by its silence it knows one that died."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import Flow, get_client, get_run_logger
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Failed

from flows.commands.output import sentence
from flows.console import write_where_commands_do
from flows.run_history import PhaseFlow, asking_no_more, only_noted
from ops.errors import RefusedError
from ops.processes import identity_of

P = ParamSpec("P")
R = TypeVar("R")

HEARTBEAT_SECONDS = 10
PROCESS = "process"  # the label of a run that names its process


def phase_flow(name: str, **options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """A Prefect flow for a phase, with heartbeats of our own."""

    def declare(work: Callable[P, R]) -> Flow[P, R]:
        phase = PhaseFlow(work, name=name, **options)
        # Afterwards, because a flow's version is the hash of the file of its function.
        phase.fn = asking_no_more(_heard()(_told(name, phase.keep_outcome(work))))
        return phase

    return declare


def _told(name: str, work: Callable[P, R]) -> Callable[P, R]:
    """The same work, whose failure is kept as its sentence and not by its class's name first."""

    @wraps(work)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        write_where_commands_do()
        try:
            return work(*args, **kwargs)
        except Exception as error:
            get_run_logger().error("stopped", exc_info=error)
            if isinstance(error, RefusedError):
                rename_run(f"{name} refused")
            # The caller gets the error all the same: the engine raises what a state holds.
            return cast(R, Failed(message=sentence(error), data=error))

    return told


@only_noted()
def rename_run(name: str) -> None:
    """Give the current run a name that says what came of it."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(str(flow_run.id)), name=name)


@only_noted()
def _label_run() -> None:
    """Let it be known in which process the current run lives."""
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(UUID(str(flow_run.id)), {PROCESS: identity_of()})


@contextmanager
def _heard() -> Iterator[None]:
    """Send heartbeats of the current run while the block lasts."""
    _label_run()
    ended = threading.Event()
    beats = (f"prefect.flow-run.{flow_run.id}", ended)
    threading.Thread(target=copy_context().run, args=(_beat, *beats), daemon=True).start()
    try:
        with without_prefects_heartbeats():
            yield
    finally:
        ended.set()


@contextmanager
def without_prefects_heartbeats() -> Iterator[None]:
    """Flows of this block end at once: with Prefect's own heartbeats, which are on by default and
    which no variable turns off, each ends by waiting for a thread that sleeps whole seconds."""
    off = PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None
    # To copy all settings takes a twentieth of a second, which phases of a rebuild need not pay.
    with nullcontext() if off else temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def _beat(run: str, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        emit_event("prefect.flow-run.heartbeat", {"prefect.resource.id": run})
