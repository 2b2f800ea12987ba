"""Reading a chat's stream as a client does."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

SEND = "/api/v1/chat/send"
CONVERSATIONS = "/api/v1/chat/conversations"


@dataclass(frozen=True)
class Event:
    """A frame. `payload` is all of its JSON, `data` what the envelope holds."""

    name: str
    payload: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.payload["data"]
        return found


def conversation(client: httpx.Client, **body: Any) -> str:
    """The id of a new conversation."""
    response = client.post(CONVERSATIONS, json=body)
    assert response.status_code == 201, response.text
    found: str = response.json()["id"]
    return found


def ask(client: httpx.Client, text: str, conversation_id: str | None = None, **more: Any) -> "Run":
    """Send a message and read its stream to the end."""
    body = {"conversation_id": conversation_id or conversation(client), "text": text, **more}
    with client.stream("POST", SEND, json=body) as response:
        assert response.status_code == 200, response.read()
        return Run(list(events(response.iter_lines())))


@contextmanager
def asking(
    client: httpx.Client, text: str, conversation_id: str, **more: Any
) -> Iterator[Iterator[Event]]:
    """The events of a message while they come; leaving the block hangs up."""
    body = {"conversation_id": conversation_id, "text": text, **more}
    with client.stream("POST", SEND, json=body) as response:
        assert response.status_code == 200, response.read()
        yield events(response.iter_lines())


def events(lines: Iterable[str]) -> Iterator[Event]:
    """The frames of a stream; anything that is none fails."""
    frame: list[str] = []
    for line in lines:
        if line:
            frame.append(line)
            continue
        name, data = frame
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        yield Event(name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        frame = []
    assert not frame, "the stream ends within a frame"


class Run:
    """All events of an answer."""

    def __init__(self, found: list[Event]) -> None:
        self.events = found

    @property
    def names(self) -> list[str]:
        """The events' names, each run of equal ones once."""
        names = [event.name for event in self.events]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    @property
    def created(self) -> dict[str, Any]:
        """The ids of the message_created event."""
        return self.one("message_created").payload

    @property
    def text(self) -> str:
        """The answer, of its pieces."""
        return "".join(event.data["delta"] for event in self.all("token"))

    def all(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    def one(self, name: str) -> Event:
        [event] = self.all(name)
        return event
