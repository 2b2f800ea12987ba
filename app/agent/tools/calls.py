"""A tool's call, from what the model asked for to what came of it."""

from dataclasses import dataclass, replace
from typing import Any

from app.agent.tools.arguments import Arguments
from app.agent.tools.registry import Tool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a tool has no result; `message` is one line for the model."""

    kind: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that is ready to be carried out, or already refused.

    Attributes:
        requested: the arguments as the model gave them.
        arguments: the arguments as they are applied, as JSON.
    """

    id: str
    name: str
    requested: dict[str, Any]
    arguments: dict[str, Any]
    tool: Tool | None = None
    checked: Arguments | None = None
    refusal: Refusal | None = None

    def refused(self, kind: str, message: str) -> "PreparedCall":
        """The call, not to be carried out."""
        return replace(self, refusal=Refusal(kind, message))


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool said.

    Attributes:
        data: the whole result, None where there is an error.
        envelope: what client and model are shown: bounded, with meta and perhaps an error.
    """

    call: PreparedCall
    data: Any
    envelope: dict[str, Any]
    duration_ms: int

    def record(self) -> dict[str, Any]:
        """The call as the message's row keeps it."""
        return {
            "id": self.call.id,
            "name": self.call.name,
            "arguments": self.call.arguments,
            "duration_ms": self.duration_ms,
        }
