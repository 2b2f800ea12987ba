"""One backend process, as its supervisor sees it, and users' connections that wait for one."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.serving.channel import MOST_DESCRIPTORS, Channel, Message
from ops.books.active_pair import Pair
from ops.waiting import wait_until_async

BACKEND = "app.serving"
LOOPBACK = "127.0.0.1"

START_SECONDS = 60.0
# One that does not answer within that time hangs.
_ANSWER_SECONDS = 5.0
# The bounds within which a backend cuts off what does not end by itself, and some more.
_REST_SECONDS = 20.0
_LEAVE_SECONDS = 15.0
_QUESTION = b"GET /ready HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Spec:
    """What a backend is started with, kept in memory alone.

    Attributes:
        environment: all of it, secrets included.
        folder: where it is started, whose `.env` it reads.
        marks: by which the same is known again.
    """

    pair: Pair
    application: str
    environment: Mapping[str, str]
    folder: str
    marks: Mapping[str, str]


@dataclass(frozen=True)
class Waiting:
    """A user's connection that no backend serves.

    Attributes:
        read: the beginning of a request, as base64, where a backend had read that already.
    """

    descriptor: int
    read: str


class ChildGoneError(Exception):
    """The backend ended, or does not do what it is told."""


class Child:
    """A backend process, started here or found without a supervisor.

    Attributes:
        spec: None for one that was found, until its like is asked for.
        marks: of what it was started with.
        port: of its private address, once it listens; 0 before that.
        meeting: the socket at which it waits for a new supervisor when it has none.
        accepting: whether it serves users.
        begun: when it began, on this process's monotonic clock.
    """

    def __init__(
        self, pair: Pair, channel: Channel, meeting: Path, parked: Callable[[list[Waiting]], None]
    ) -> None:
        self.pair = pair
        self.spec: Spec | None = None
        self.marks: Mapping[str, str] = {}
        self.port = 0
        self.pid = 0
        self.meeting = meeting
        self.accepting = False
        self.begun = time.monotonic()
        self.process: subprocess.Popen[bytes] | None = None
        self.gone = asyncio.Event()
        self._channel = channel
        self._parked = parked
        self._events: dict[str, asyncio.Future[Message | None]] = {}
        self._first = self._awaited("listening")
        self._hearing = asyncio.create_task(self._hear())

    @property
    def alive(self) -> bool:
        """Whether it obeys: one that is ending does not any more."""
        return not self.gone.is_set()

    async def listening(self, seconds: float = START_SECONDS) -> Message:
        """Wait until it listens at its private address.

        Raises:
            ChildGoneError: it does not come to that.
        """
        message = await _within(self._first, seconds)
        self.port, self.pid = message.said["port"], message.said["pid"]
        self.pair, self.accepting = message.said["pair"], message.said["accepting"]
        return message

    async def ready(self, seconds: float) -> bool:
        """Wait until it says of itself that it can serve; False where it does not come to that."""
        question = partial(_says_ready, self.port)
        return await wait_until_async(question, seconds, pause=0.1, unless=self.gone.is_set)

    async def accept(self) -> None:
        """Let it serve users.

        Raises:
            ChildGoneError: it does not.
        """
        await self._command({"do": "accept"}, "accepting")
        self.accepting = True

    async def adopt(self, waiting: Sequence[Waiting]) -> None:
        """Give it connections; ours are closed when it has them.

        Raises:
            ChildGoneError: it does not take them.
        """
        read = {str(n): each.read for n, each in enumerate(waiting) if each.read}
        descriptors = [each.descriptor for each in waiting]
        await self._command({"do": "adopt", "read": read}, "adopted", descriptors)
        for descriptor in descriptors:
            os.close(descriptor)

    async def hold(self, stream_seconds: float) -> int:
        """Let it come to rest; how many connections it cut off.

        Raises:
            ChildGoneError: it does not.
        """
        held = self._awaited("held")
        await self._command({"do": "hold", "stream_seconds": stream_seconds}, "holding")
        self.accepting = False
        return int((await _within(held, stream_seconds + _REST_SECONDS)).said["cut"])

    async def leave(self) -> None:
        """Ask it to finish and end; kill it if it does not."""
        self._signal(signal.SIGTERM)
        await self._await_end()

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def forget(self) -> None:
        """Have nothing to do with it any more."""
        self._hearing.cancel()
        self._channel.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
        elif self.pid and self.alive:
            # Not a child of ours: its number is its own while its end of the channel is open.
            os.kill(self.pid, number)

    async def _await_end(self) -> None:
        for _ in range(2):
            if await wait_until_async(self._has_ended, _LEAVE_SECONDS, pause=0.02):
                return
            self.kill()

    async def _has_ended(self) -> bool:
        return self.process.poll() is not None if self.process is not None else not self.alive

    async def _command(
        self, said: dict[str, Any], answer: str, descriptors: Sequence[int] = ()
    ) -> None:
        answered = self._awaited(answer)
        try:
            await self._channel.send(said, descriptors)
        except OSError:
            raise ChildGoneError from None
        await _within(answered, _ANSWER_SECONDS)

    def _awaited(self, event: str) -> "asyncio.Future[Message | None]":
        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._events[event] = future
        if self.gone.is_set():
            future.set_result(None)
        return future

    async def _hear(self) -> None:
        while (message := await self._channel.receive()) is not None:
            event = message.said["event"]
            if event == "parked":
                self._parked(_waiting(message))
                with suppress(OSError):
                    await self._channel.send({"do": "taken"})
            elif (future := self._events.get(event)) is not None and not future.done():
                future.set_result(message)
        self.accepting = False
        self.gone.set()
        for future in self._events.values():
            if not future.done():
                future.set_result(None)
        self._channel.close()
        if self.process is not None:
            await self._await_end()


async def _says_ready(port: int) -> bool:
    # By hand, because the supervisor stays small.
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(_QUESTION)
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def _within(future: "asyncio.Future[Message | None]", seconds: float) -> Message:
    try:
        message = await asyncio.wait_for(future, seconds)
    except TimeoutError:
        message = None
    if message is None:
        raise ChildGoneError
    return message


def _waiting(message: Message) -> list[Waiting]:
    read = message.said.get("read", {})
    return [
        Waiting(descriptor, read.get(str(number), ""))
        for number, descriptor in enumerate(message.descriptors)
    ]


def start(
    spec: Spec,
    listener: socket.socket,
    otherwise: Pair,
    pointer: Path,
    meeting: Path,
    parked: Callable[[list[Waiting]], None],
) -> Child:
    """Start a backend. It takes no user's connection yet.

    Args:
        otherwise: the pair to be served where `pointer` names none.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        words = [sys.executable, "-P", "-m", BACKEND, "--pair", spec.pair, "--otherwise", otherwise]
        words += ["--pointer", str(pointer), "--meeting", str(meeting)]
        words += ["--listener", str(listener.fileno()), "--control", str(theirs.fileno())]
        process = subprocess.Popen(
            [*words, spec.application],
            env=dict(spec.environment),
            cwd=spec.folder if os.path.isdir(spec.folder) else os.sep,
            pass_fds=[listener.fileno(), theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    child = Child(spec.pair, Channel(ours), meeting, parked)
    child.process, child.pid = process, process.pid
    child.spec, child.marks = spec, spec.marks
    return child


class WaitingRoom:
    """Users' connections wait here, open, between one backend and the next."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._passing_on = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, waiting: list[Waiting]) -> None:
        """Let some more wait."""
        self._waiting += waiting

    async def pass_on(self, child: Child) -> None:
        """Give all of them to a backend; those that it does not take wait for the next one."""
        async with self._passing_on:
            while self._waiting and child.accepting:
                batch = self._waiting[:MOST_DESCRIPTORS]
                try:
                    await child.adopt(batch)
                except ChildGoneError:
                    return
                del self._waiting[: len(batch)]
