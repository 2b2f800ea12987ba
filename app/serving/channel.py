"""What a backend and its supervisor say to each other: lines of JSON, and open sockets beside them.

Knows the standard library alone, because the supervisor, which is to stay small, speaks it too.
"""

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# What Linux takes in one message.
MOST_DESCRIPTORS = 253
_CHUNK = 65_536
_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


@dataclass(frozen=True)
class Message:
    """A line, and the descriptors that came with it; they belong to whoever receives it."""

    said: dict[str, Any]
    descriptors: list[int] = field(default_factory=list)


class Channel:
    """One end of a stream of messages. Only one task may receive."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._heard = bytearray()
        self._descriptors: list[int] = []
        self._sending = asyncio.Lock()

    async def receive(self) -> Message | None:
        """The next message; None when the other end is gone."""
        while b"\n" not in self._heard:
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    self._end, _CHUNK, MOST_DESCRIPTORS, _FLAGS
                )
            except BlockingIOError:
                await _ready(self._end, reading=True)
                continue
            except OSError:
                return None
            self._descriptors += descriptors
            if not data:
                return None
            self._heard += data
        return self._next()

    async def send(self, said: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message; the descriptors stay the sender's.

        Raises:
            OSError: the other end is gone.
        """
        line = json.dumps({**said, "descriptors": len(descriptors)}).encode() + b"\n"
        async with self._sending:
            sent = await self._begin(line, descriptors)
            while sent < len(line):
                sent += await self._begin(line[sent:], ())

    async def _begin(self, line: bytes, descriptors: Sequence[int]) -> int:
        while True:
            try:
                if descriptors:
                    return socket.send_fds(self._end, [line], list(descriptors))
                return self._end.send(line)
            except BlockingIOError:
                await _ready(self._end, reading=False)

    def close(self) -> None:
        """Say no more, and forget what was not asked for."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._end.close()

    def _next(self) -> Message:
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard = bytearray(rest)
        said = json.loads(line)
        count = int(said.pop("descriptors", 0))
        own, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return Message(said, own)


async def _ready(end: socket.socket, *, reading: bool) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def now() -> None:
        if not waiter.done():
            waiter.set_result(None)

    add, remove = (
        (loop.add_reader, loop.remove_reader) if reading else (loop.add_writer, loop.remove_writer)
    )
    number = end.fileno()
    add(number, now)
    try:
        await waiter
    finally:
        remove(number)
