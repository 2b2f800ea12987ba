"""What a rule found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A condition, whether it holds, and what shows it.

    Attributes:
        reason: one line; of an unmet condition, what to do.
        evidence: the figures, for the record.
        pinned: of these, what must be the same when a plan is executed.
        waits: unmet only because a date or a routine (verification, backup) is still to come.
    """

    condition: str
    met: bool
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False

    def words(self) -> tuple[str, str, str]:
        """The condition, whether it holds, and why: a line, or a row of a table."""
        state = "holds" if self.met else "waits" if self.waits else "does not hold"
        return self.condition, state, self.reason

    def line(self) -> str:
        """The finding in a line."""
        return ": ".join(self.words())

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        return {"met": self.met, "reason": self.reason, **self.evidence}
