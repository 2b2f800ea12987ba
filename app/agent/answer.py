"""What there is of an answer: its text, its tools, its tokens and its times."""

from typing import Any

from app.agent import bounds
from app.agent.events import EventLog
from app.agent.model import Started, Usage
from app.agent.tools.calls import ToolOutcome
from app.storable import storable


class Answer:
    """An answer as it grows; every piece of it goes to the client at once."""

    def __init__(self, log: EventLog) -> None:
        self.text = ""
        self._log = log
        self._outcomes: list[ToolOutcome] = []
        self._response_id: str | None = None
        self._first_token_ms: int | None = None
        self._last_result_ms: int | None = None
        self._gaps_ms: list[int] = []
        self._prompt_tokens = 0
        self._completion_tokens: list[int] = []
        self._request_began_at = 0

    @property
    def too_long(self) -> bool:
        """Whether the answer has reached its bound."""
        return len(self.text) >= bounds.ANSWER_CHARACTERS

    def begin_request(self) -> None:
        """The model is asked once more."""
        self._completion_tokens.append(0)
        self._request_began_at = len(self.text)

    def end_request(self) -> str:
        """What the model said since it was asked last."""
        return self.text[self._request_began_at :].strip()

    def started(self, event: Started) -> None:
        """Keep the provider's name of the first response, of its last attempt."""
        if len(self._completion_tokens) == 1:
            self._response_id = storable(event.response_id)[:255]
            self._log.note("response_id")
            named = {"response_id": self._response_id, "provider": event.provider}
            self._log.emit("response_id", named)

    def say(self, delta: str) -> None:
        """Add a piece of text."""
        delta = storable(delta)
        if not delta:
            return
        self._note_times()
        if self.text and len(self.text) == self._request_began_at:
            delta = f"\n\n{delta}"  # said after tools: a paragraph of its own
        self.text += delta
        self._completion_tokens[-1] += 1
        self._log.emit("token", {"delta": delta})

    def count(self, usage: Usage) -> None:
        """Take the endpoint's count of tokens for our own."""
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens[-1] = usage.completion_tokens

    def used(self, outcome: ToolOutcome) -> None:
        """Keep what a tool said."""
        self._outcomes.append(outcome)
        self._last_result_ms = self._log.elapsed_ms()

    def summary(self) -> dict[str, Any]:
        """The answer's part of the done event."""
        first, *rest = self._completion_tokens or [0]
        return {
            "final_text": self.text,
            "tool_calls_count": len(self._outcomes),
            "latency_ms": self._log.elapsed_ms(),
            "token_counts": {"initial": first, "continuation": sum(rest)},
            "post_tool_first_token_gaps_ms": self._gaps_ms,
        }

    def row(self, error: dict[str, Any] | None) -> dict[str, Any]:
        """The answer as its row keeps it. Times are milliseconds since the turn began."""
        completion_tokens = sum(self._completion_tokens)
        return {
            "content": self.text,
            "tool_calls": [outcome.record() for outcome in self._outcomes],
            "first_token_ms": self._first_token_ms,
            "latency_ms": self._log.elapsed_ms(),
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self._prompt_tokens + completion_tokens,
            "provider_message_id": self._response_id,
            "error": error,
        }

    def _note_times(self) -> None:
        now = self._log.elapsed_ms()
        if self._first_token_ms is None:
            self._first_token_ms = now
            self._log.note("token_first")
        if self._last_result_ms is not None:
            self._gaps_ms.append(now - self._last_result_ms)
            self._last_result_ms = None
