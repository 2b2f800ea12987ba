"""The frames of a chat stream, in order, and the time line of what happened."""

import asyncio
import time
from typing import Any, TypedDict

from app.json_response import json_bytes

# These carry no number of their own.
_UNNUMBERED = frozenset({"heartbeat", "info", "error", "done"})

# JSON may hold these as they are, and many a client's way of reading lines ends one there.
_RARE_LINE_ENDS = {char.encode(): b"\\u%04x" % ord(char) for char in "\x85\u2028\u2029"}


class TimelineEntry(TypedDict):
    """Something that happened, `t_ms` after the turn began."""

    type: str
    t_ms: int


def frame(event: str, payload: Any) -> bytes:
    """A server-sent event. Its JSON holds no line end of any kind, so no text can end it early."""
    encoded = json_bytes(payload)
    for raw, escaped in _RARE_LINE_ENDS.items():
        encoded = encoded.replace(raw, escaped)
    return b"event: %s\ndata: %s\n\n" % (event.encode(), encoded)


class EventLog:
    """What a turn says to its client: frames go into a queue, None after the last."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.timeline: list[TimelineEntry] = []
        self._started = time.monotonic()
        self._next_seq = 0

    def elapsed_ms(self) -> int:
        """Milliseconds since the turn began."""
        return int((time.monotonic() - self._started) * 1000)

    def note(self, what: str) -> None:
        """Remember when something happened."""
        self.timeline.append({"type": what, "t_ms": self.elapsed_ms()})

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Send an event in the common envelope."""
        self.queue.put_nowait(frame(event, self._envelope(event, data)))

    def emit_flat(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event that has no envelope."""
        self.queue.put_nowait(frame(event, payload))

    def heartbeat(self) -> bytes:
        """A frame that says no more than that the stream lives."""
        return frame("heartbeat", self._envelope("heartbeat", {}))

    def close(self) -> None:
        """Nothing follows."""
        self.queue.put_nowait(None)

    def _envelope(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        seq = 0
        if event not in _UNNUMBERED:
            seq, self._next_seq = self._next_seq, self._next_seq + 1
        return {
            "type": event,
            "run_id": self.run_id,
            "seq": seq,
            "data": data,
            "timestamp": int(time.time() * 1000),
        }
