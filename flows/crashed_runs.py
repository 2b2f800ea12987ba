"""Runs whose process died without a word are marked Crashed: by the next command, which looks for
the process, or by the server, which misses its heartbeat."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from prefect import get_client, tags
from prefect.automations import AutomationCore
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.states import Crashed

from flows.heartbeat import HEARTBEAT_SECONDS, PROCESS, without_prefects_heartbeats
from ops.processes import is_known_to_be_gone
from ops.rehearsal.commands import rehearsing

REHEARSAL = "rehearsal"  # the tag of its runs
MOST_RUNS = 200
AUTOMATION = "crashed runs"
# Nine beats missed; the server looks every five seconds, so that it takes less than two minutes.
SILENT_SECONDS = 9 * HEARTBEAT_SECONDS
_MESSAGE = "its process is gone; run the same command again to finish it"


@contextmanager
def own_process() -> Iterator[None]:
    """Runs of this block are those of a command, and of a rehearsal's where it is one."""
    with tags(*([REHEARSAL] if rehearsing() else [])), without_prefects_heartbeats():
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
            client.set_flow_run_state(run.id, Crashed(message=_MESSAGE), force=True)
    return [run.name for run in dead]


def watch_heartbeats(silent_seconds: int = SILENT_SECONDS) -> None:
    """Have the server mark runs as crashed that have been silent so long. Idempotent.

    A run that only could not be heard, and ends well later, is Completed all the same.
    """
    wanted = _automation(silent_seconds)
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(AUTOMATION):
            if known.trigger == wanted.trigger and known.actions == wanted.actions:
                return
            client.delete_automation(known.id)
        client.create_automation(wanted)


def _automation(silent_seconds: int) -> AutomationCore:
    """From its beginning, because the first beat comes a moment later; and any word of a run counts
    as one, because a final state may have a name of its own."""
    run = "prefect.flow-run"
    return AutomationCore(
        name=AUTOMATION,
        description="A run that has not been heard of for a while has lost its process.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": f"{run}.*"}),
            for_each={"prefect.resource.id"},
            after={f"{run}.Running", f"{run}.heartbeat"},
            expect={f"{run}.*"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silent_seconds),
        ),
        actions=[
            ChangeFlowRunState(name=None, state=StateType.CRASHED, message=_MESSAGE, force=False)
        ],
    )


def _is_dead(run: FlowRun) -> bool:
    identity = str(run.labels.get(PROCESS, ""))
    return identity.count(":") >= 2 and is_known_to_be_gone(identity)
