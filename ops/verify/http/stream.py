"""The chat's stream, read strictly: every frame whole, in its place, and of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from ops.verify.http.exchange import UnusableAnswerError, field_of

T = TypeVar("T")
# Anywhere between the start and the end, and without a number of their own.
_UNNUMBERED = frozenset({"heartbeat", "info", "error", "done"})


@dataclass(frozen=True)
class ServerEvent:
    """A frame: its name, and its JSON."""

    name: str
    payload: Any

    def field(self, path: str, shape: type[T]) -> T:
        """What stands at a path of the payload. Raises what `field_of` raises."""
        return field_of(f"event {self.name}:", self.payload, path, shape)


def read_events(body: bytes) -> list[ServerEvent]:
    """The frames of a stream that has ended.

    Raises:
        UnusableAnswerError: it is not made of whole frames of `event` and `data`.
    """
    try:
        text = body.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UnusableAnswerError("the stream is not UTF-8") from None
    if not text.endswith("\n\n"):
        raise UnusableAnswerError("the stream ends in the middle of a frame")
    blocks = [block for block in text.split("\n\n") if block.strip("\n")]
    lines = [[line for line in block.split("\n") if line[:1] != ":"] for block in blocks]
    return [_event(number, block) for number, block in enumerate(lines, 1) if any(block)]


def require_order(events: Sequence[ServerEvent]) -> None:
    """Make sure that the frames tell one run from message_created to done.

    Raises:
        UnusableAnswerError: they do not.
    """
    names = [event.name for event in events]
    if names[:2] != ["message_created", "start"] or names[-1:] != ["done"]:
        shown = ", ".join(names[:4])
        raise UnusableAnswerError(
            f"the stream goes {shown or 'nowhere'} … {names[-1] if names else ''}, "
            "not message_created, start … done"
        )
    for name in ("message_created", "start", "done"):
        if names.count(name) > 1:
            raise UnusableAnswerError(f"the stream has {names.count(name)} events {name}")
    _require_envelopes(events)


def _require_envelopes(events: Sequence[ServerEvent]) -> None:
    run, last = events[0].field("run_id", str), -1.0
    for event in events[1:]:
        if event.field("type", str) != event.name or event.field("run_id", str) != run:
            raise UnusableAnswerError(f"an event {event.name} is of another type or run")
        number = event.field("seq", float)
        if event.name in _UNNUMBERED:
            continue
        if number <= last:
            raise UnusableAnswerError(f"an event {event.name} has number {number:g} after {last:g}")
        last = number


def _event(number: int, lines: list[str]) -> ServerEvent:
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    if len(lines) != 2 or fields.keys() != {"event", "data"}:
        raise UnusableAnswerError(f"frame {number} of the stream is not an event and its data")
    try:
        return ServerEvent(fields["event"], orjson.loads(fields["data"]))
    except orjson.JSONDecodeError:
        raise UnusableAnswerError(f"frame {number} of the stream holds broken JSON") from None
