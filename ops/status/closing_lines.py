"""Line 11, the dashboard and the last rehearsal: when the old database goes, who will see to it,
and how the whole move went when it was tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.books.follows import FOLLOWED
from ops.books.rehearsals import last_rehearsal
from ops.errors import SigmaSightError
from ops.evidence import SEVEN_DAYS
from ops.http_answer import ask
from ops.state_folder import StateFolder
from ops.status.core_facts import CoreFacts
from ops.status.line import ChecklistLine, instant
from ops.status.looks import Answer, LookError, state_after

_SECONDS = 0.9
_WORKER_SILENCE = timedelta(seconds=90)


@dataclass(frozen=True)
class Dashboard:
    """What the Prefect server said.

    Attributes:
        workers: names of the workers that were heard of a moment ago.
        next_runs: when the next run of each scheduled deployment is due.
        schedules: deployment → whether any of its schedules is active.
    """

    url: str
    workers: tuple[str, ...]
    next_runs: Mapping[str, datetime]
    schedules: Mapping[str, bool]


def dashboard_word(api_url: str) -> Dashboard:
    """Ask the Prefect server, by its HTTP interface alone.

    Raises:
        LookError: it gives no answer.
    """
    try:
        deployments = _post(api_url, "/deployments/filter", {"limit": 100})
        return Dashboard(
            api_url.removesuffix("/api"),
            tuple(_workers(api_url)),
            _next_runs(api_url, {one["id"]: one["name"] for one in deployments}),
            {one["name"]: _scheduled(one) for one in deployments},
        )
    except OSError as error:
        raise LookError(
            f"no Prefect server answers at {api_url} ({type(error).__name__})"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise LookError(f"what answers at {api_url} is no Prefect server") from None


def _post(api_url: str, path: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = ask(f"{api_url}{path}", _SECONDS, body=dict(body)).json()
    if not isinstance(found, list):
        raise TypeError(path)
    return found


def _workers(api_url: str) -> list[str]:
    limit = datetime.now(UTC) - _WORKER_SILENCE
    found = []
    for pool in _post(api_url, "/work_pools/filter", {"limit": 20}):
        for worker in _post(api_url, f"/work_pools/{pool['name']}/workers/filter", {}):
            heard = worker.get("last_heartbeat_time")
            if heard and datetime.fromisoformat(heard) > limit:
                found.append(str(worker["name"]))
    return found


def _next_runs(api_url: str, deployments: Mapping[str, str]) -> dict[str, datetime]:
    if not deployments:
        return {}
    scheduled = {
        "flow_runs": {
            "deployment_id": {"any_": list(deployments)},
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "next_scheduled_start_time": {"after_": datetime.now(UTC).isoformat()},
        },
        "sort": "NEXT_SCHEDULED_START_TIME_ASC",
        "limit": 50,
    }
    found: dict[str, datetime] = {}
    for run in _post(api_url, "/flow_runs/filter", scheduled):
        moment = datetime.fromisoformat(run["next_scheduled_start_time"])
        found.setdefault(deployments[run["deployment_id"]], moment)
    return found


def _scheduled(deployment: Mapping[str, Any]) -> bool:
    schedules = deployment.get("schedules") or []
    return not deployment.get("paused") and any(one.get("active") for one in schedules)


def run_history(word: Answer[Dashboard] | None) -> ChecklistLine:
    """The dashboard: who answers, whether a worker would start what is scheduled, what is next."""
    if word is None:
        reason = "no Prefect server was started here"
        return ChecklistLine("-", "run history", "open", reason, next="make dashboard")
    try:
        found = word.get()
    except SigmaSightError as error:
        reason = f"{error}; since when is not known, and nothing scheduled will start"
        return ChecklistLine("-", "run history", state_after(error), reason, next="make dashboard")
    worker = ", ".join(found.workers) or "none, so no deployment starts"
    due = [f"{name} {instant(moment)}" for name, moment in found.next_runs.items()]
    evidence = f"{found.url}, worker: {worker}; next: {', '.join(due) or 'nothing scheduled'}"
    line = ChecklistLine("-", "run history", "done", evidence)
    if due and not found.workers:
        return line.grown_stale("something is scheduled and no worker runs", "make dashboard")
    active = [name for name, on in found.schedules.items() if on]
    if active and not due:
        planless = f"the schedule of {active[0]} is active, and this server has planned no run"
        return line.grown_stale(f"{planless} (docs/dashboard.md, by hand)", None)
    return line


def rehearsed(state: StateFolder) -> list[ChecklistLine]:
    """One line where there was a rehearsal; none where there was not, since it is nobody's duty."""
    last = last_rehearsal(state)
    if last is None:
        return []
    if last.failed_in is None:
        evidence = f"the whole move took {last.seconds:.0f} s; see {last.report}"
        return [ChecklistLine("-", "rehearsal", "done", evidence, at=last.at)]
    evidence = f"{last.word} in {last.failed_in}; read {last.log}"
    return [ChecklistLine("-", "rehearsal", "failed", evidence, at=last.at)]


def cleaned_up(core: CoreFacts, word: Answer[Dashboard] | None) -> ChecklistLine:
    """Line 11: done, killed, or when it may be and when it will be."""
    stone = core.tombstone
    if stone is not None and core.cleaned_up:
        words = f"the old database was removed {instant(stone.ended_at)}"
        return ChecklistLine("11", "cleanup", "done", words, at=stone.ended_at)
    if stone is not None:
        words = f"a cleanup was killed at step: {stone.step}; its next run finishes it"
        step = f"sigmasight cleanup --execute --plan-id {stone.plan_id}"
        return ChecklistLine("11", "cleanup", "failed", words, stone.begun_at, next=step)
    swap = core.swap_in_force
    if swap is None:
        return ChecklistLine("11", "cleanup", "open", "not before a week after the swap")
    begun = core.window["begun"] if core.window else swap.ended_at
    assert begun is not None  # it is done
    line = ChecklistLine("11", "cleanup", "open", _prospect(begun, _planned(word)))
    if core.window is None or core.window["reason"] == FOLLOWED:
        return line
    reason = f"the account of who uses the old database began anew: {core.window['reason']}"
    return line.grown_stale(reason, None)


def _planned(word: Answer[Dashboard] | None) -> str:
    try:
        found = word.get() if word is not None else None
    except SigmaSightError:
        found = None
    if found is None:
        return "its schedule is unknown while the Prefect server is down"
    if "cleanup" in found.next_runs:
        return f"scheduled for {instant(found.next_runs['cleanup'])}"
    if found.schedules.get("cleanup"):
        return "its schedule is active and not due yet"
    return "its schedule is not active"


def _prospect(begun: datetime, planned: str) -> str:
    allowed = begun + SEVEN_DAYS
    word = "not before" if allowed > datetime.now(UTC) else "allowed since"
    return f"{word} {instant(allowed)}; {planned}; `sigmasight cleanup` shows what is missing"
