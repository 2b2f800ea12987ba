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

    def line(self) -> str:
        """The finding in a line."""
        holds = "holds" if self.met else "does not hold"
        return f"{self.condition}: {holds}: {self.reason}"

    def as_row(self) -> dict[str, str]:
        """The finding as a row of a table."""
        state = "holds" if self.met else "waits" if self.waits else "fails"
        return {"condition": self.condition, "state": state, "why": self.reason}

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        return {"met": self.met, "reason": self.reason, **self.evidence}
