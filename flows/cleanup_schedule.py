"""The one date of the cleanup, as a schedule of its deployment that fires once or never.

The swap activates it and a rollback stops it. A late, repeated or yearly firing removes nothing by
itself: the cleanup decides by its own conditions.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psycopg
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import RRuleSchedule
from prefect.exceptions import MissingContextError, ObjectNotFound
from prefect.logging import get_logger, get_run_logger

from ops.cleanup.dates import NEW_YORK, cleanup_moment, next_cleanup_day
from ops.endpoints import resolve_endpoints
from ops.errors import SigmaSightError
from ops.evidence.cutovers import swap_in_force
from ops.rehearsal.commands import rehearsing
from ops.settings import operator_settings

DEPLOYMENT = "cleanup/cleanup"
_PREFIX = "once-on-"
PARAMETERS = {"execute": True}  # what an operator has approved, and nothing else
_START = re.compile(r"DTSTART:(\d{8})T")
R = TypeVar("R")


def activate_cleanup_schedule(swapped_at: datetime) -> datetime | None:
    """Let the cleanup run once: on CLEANUP_DATE, by default the 28 December after the swap, or
    later where it may not run so soon. The cleanup itself waits for the same moment.

    Returns:
        when it will run; None where no deployment of it is known, which is logged.
    """
    moment = cleanup_moment(swapped_at, operator_settings().CLEANUP_DATE)

    def activate(schedules: _Schedules) -> datetime:
        schedules.leave_one(moment.date(), active=True)
        _log(f"the cleanup is scheduled for {moment.date()}, 02:00 New York")
        return moment

    return _with_schedules(activate)


def deactivate_cleanup_schedule() -> None:
    """Stop the cleanup from running by itself, until the next swap."""

    def deactivate(schedules: _Schedules) -> None:
        schedules.leave_one(_planned_day(), active=False)
        _log("the schedule of the cleanup is inactive")

    _with_schedules(deactivate)


def schedule_to_deploy() -> dict[str, Any]:
    """What a deployment of the cleanup has to say of its schedule: `rrule`, `active`, `slug`, and
    the slug that it `replaces`.

    Core knows whether a swap is in force; where it does not answer, what the server has is kept.
    """
    known = _with_schedules(lambda schedules: schedules.ours, log=False)
    day, active = _wanted(known)
    replaced = known.slug if known is not None else None
    return {"rrule": rule(day), "active": active, "slug": slug(day), "replaces": replaced}


def _wanted(known: DeploymentSchedule | None) -> tuple[date, bool]:
    settings = operator_settings()
    try:
        swap = swap_in_force(resolve_endpoints(settings).core)
    except (SigmaSightError, psycopg.Error):
        deployed = _day_of(known) if known is not None and known.active else None
        return deployed or _planned_day(), deployed is not None
    if swap is None or swap.ended_at is None:
        return _planned_day(), False
    return cleanup_moment(swap.ended_at, settings.CLEANUP_DATE).date(), True


def rule(day: date) -> str:
    """Once, on that day: in local time, because a zone on DTSTART is ignored, and with a count,
    because any other rule comes back."""
    return f"DTSTART:{day:%Y%m%d}T020000\nRRULE:FREQ=DAILY;COUNT=1"


def slug(day: date) -> str:
    """The schedule's name, which is all that the dashboard shows of it."""
    return f"{_PREFIX}{day}-at-0200-new-york"


@dataclass(frozen=True)
class _Schedules:
    """The schedules of the cleanup's deployment, as the server has them."""

    client: SyncPrefectClient
    deployment: UUID
    all: list[DeploymentSchedule]

    @property
    def ours(self) -> DeploymentSchedule | None:
        return next((one for one in self.all if (one.slug or "").startswith(_PREFIX)), None)

    def leave_one(self, day: date, *, active: bool) -> None:
        """Have this schedule and no other. Runs that an old date had planned go with it."""
        schedule = RRuleSchedule(rrule=rule(day), timezone=str(NEW_YORK))
        ours = self.ours
        for other in self.all:
            if other is not ours:
                self.client.delete_deployment_schedule(self.deployment, other.id)
        if ours is not None:
            self.client.update_deployment_schedule(
                self.deployment,
                ours.id,
                active,
                schedule,
                parameters=PARAMETERS,  # what is not given again is emptied
                slug=slug(day),
            )
            return
        new = DeploymentScheduleCreate(
            schedule=schedule, active=active, slug=slug(day), parameters=PARAMETERS
        )
        self.client.create_deployment_schedules(self.deployment, [new])


def _with_schedules(work: Callable[[_Schedules], R], *, log: bool = True) -> R | None:
    if rehearsing():
        _log("only rehearsed: the schedule of the cleanup stays as it is")
        return None
    try:
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(DEPLOYMENT).id
            return work(
                _Schedules(client, deployment, client.read_deployment_schedules(deployment))
            )
    except ObjectNotFound:
        reason = "Prefect has no deployment of it; `sigmasight dashboard` makes one"
    except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: no server is named
        reason = f"the Prefect server does not answer ({type(error).__name__})"
    if log:
        _log(f"the schedule of the cleanup stays as it is: {reason}")
    return None


def _planned_day() -> date:
    """The day that settings name, else the next 28 December; a swap may move it."""
    return operator_settings().CLEANUP_DATE or next_cleanup_day(datetime.now(UTC))


def _day_of(schedule: DeploymentSchedule) -> date | None:
    found = _START.search(getattr(schedule.schedule, "rrule", ""))
    return datetime.strptime(found[1], "%Y%m%d").date() if found else None


def _log(message: str) -> None:
    """In the run's log, where there is a run."""
    try:
        get_run_logger().info(message)
    except MissingContextError:
        get_logger("cleanup").info(message)
