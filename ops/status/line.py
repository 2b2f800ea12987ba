"""A line of the plan's checklist."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["done", "open", "failed", "unknown", "skipped"]


@dataclass(frozen=True)
class ChecklistLine:
    """One phase of the plan.

    Attributes:
        number: the plan's number; `-` for what the plan does not number.
        state: `unknown` is what has not answered in time, which says nothing of what is there.
        evidence: what was seen just now.
        at: when the phase last changed or proved something, where that is known.
        stale: why the evidence no longer says enough; None while it does.
        next: the one command, or act, that brings the line further; None where nothing is to do.
    """

    number: str
    phase: str
    state: State
    evidence: str
    at: datetime | None = None
    stale: str | None = None
    next: str | None = None

    @property
    def age(self) -> str | None:
        """How long ago `at` was, in its largest unit."""
        return None if self.at is None else age(self.at)

    def grown_stale(self, reason: str, step: str | None) -> "ChecklistLine":
        """The same line with a reason why its evidence no longer says enough."""
        return replace(self, stale=reason, next=step)

    def document(self) -> dict[str, Any]:
        """The line for programs; the keys are described in docs/status.md and stay."""
        at = None if self.at is None else self.at.astimezone(UTC).isoformat()
        return {**asdict(self), "at": at, "age": self.age}


def age(moment: datetime) -> str:
    """How long ago a moment was: `3 h`."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def instant(moment: datetime | None) -> str:
    """A moment as evidence shows it: `2025-12-21 07:00 UTC`."""
    if moment is None:
        return "at an unknown time"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
