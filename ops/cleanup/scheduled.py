"""What a firing of the schedule may do by itself."""

from dataclasses import dataclass
from datetime import datetime

from ops.books.cleanup_plans import last_approved
from ops.books.tombstones import cleaned_up
from ops.cleanup.dates import cleanup_moment, is_late
from ops.cleanup.scene import Scene
from ops.evidence.cutovers import swap_in_force


@dataclass(frozen=True)
class Firing:
    """Which plan a firing executes, or why it only looks.

    Attributes:
        plan_id: None for a dry run.
    """

    plan_id: str | None
    reason: str


def firing_of(scene: Scene) -> Firing:
    """A firing executes the plan that an operator approved beforehand, on its day alone; it also
    finishes a cleanup that was killed. Nobody's date alone removes anything."""
    begun = cleaned_up(scene.core)
    if begun is not None:
        return Firing(begun.plan_id, f"cleanup {begun.plan_id} was begun and is finished now")
    swap = swap_in_force(scene.core)
    if swap is None or swap.ended_at is None:
        return Firing(None, "no swap is in force")
    moment = cleanup_moment(swap.ended_at, scene.given_date)
    if scene.now < moment:
        return Firing(None, f"it is too early: {_in_words(moment)}")
    if is_late(moment, scene.now):
        return Firing(None, f"it is too late to act by itself: {_in_words(moment)}")
    approved = last_approved(scene.core)
    if approved is None:
        return Firing(None, "no plan was approved by `sigmasight cleanup --approve PLAN_ID`")
    return Firing(approved, f"plan {approved} was approved")


def _in_words(moment: datetime) -> str:
    return f"the moment was set for {moment:%Y-%m-%d %H:%M} in New York"
