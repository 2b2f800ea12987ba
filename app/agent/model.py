"""What the chat asks of a model, and what a model says back, event by event."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from app.agent.context import ChatContext
from app.agent.grounding import Grounding
from app.agent.tools.calls import ToolOutcome

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Started:
    """The model took the request; `response_id` is its own name for it."""

    response_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool; `arguments` is its JSON, as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one request took."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Notice:
    """The request is tried again; `data` goes out as the info event."""

    data: dict[str, Any]


ModelEvent = Started | TextDelta | ToolCall | Usage | Notice


@dataclass(frozen=True, slots=True)
class Round:
    """One answer that asked for tools: what it said before, and what the tools said."""

    text: str
    outcomes: tuple[ToolOutcome, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that a model needs for the next part of its answer."""

    system: str
    history: tuple[tuple[Role, str], ...]
    question: str
    context: ChatContext
    grounding: Grounding
    rounds: tuple[Round, ...] = ()
    tools_allowed: bool = True

    def followed_by(self, round_: Round) -> "Prompt":
        """The prompt after the tools of one more round."""
        return replace(self, rounds=(*self.rounds, round_))

    def without_tools(self) -> "Prompt":
        """The prompt that wants an answer now."""
        return replace(self, tools_allowed=False)

    @property
    def outcomes(self) -> Sequence[ToolOutcome]:
        """What every tool has said so far."""
        return [outcome for round_ in self.rounds for outcome in round_.outcomes]


@dataclass(slots=True)
class RetryStats:
    """How often a turn's model was asked in vain."""

    attempts: int = 1
    max_retries: int = 0
    used_fallback_model: bool = False


class Model(Protocol):
    """One model, for one turn."""

    name: str
    retry_stats: RetryStats
    # Whether it reads the system prompt; where not, none is made.
    reads_instructions: bool

    def answer(self, prompt: Prompt) -> AsyncGenerator[ModelEvent, None]:
        """The next part of the answer: text, calls of tools, or both.

        Raises:
            ModelError: the model cannot answer.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(eq=False)
class ModelError(Exception):
    """A model does not answer. The message is one line and holds nothing secret.

    Attributes:
        kind: the stream's error_type.
        retryable: whether the same request may succeed later.
        retry_after: seconds that the endpoint asks to wait.
    """

    message: str
    kind: str
    retryable: bool
    retry_after: float | None = field(default=None)

    def __str__(self) -> str:
        return self.message
