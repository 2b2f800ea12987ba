"""What the supervisor tells this backend, and what it does once there is no supervisor any more."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import socket
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.agent import running
from app.serving.channel import MOST_DESCRIPTORS, Channel, Message
from app.serving.connection import Parked
from app.serving.public import Public

# What is noted after an answer is given up when it would make everybody wait.
BACKGROUND_SECONDS = 1.0
# One that does not serve lets one that does go first, where both are of the pair to be served.
_PRECEDENCE_SECONDS = 0.3
_LOOK_SECONDS = 0.05

_log = logging.getLogger("sigmasight.serving")


@dataclass(frozen=True)
class Place:
    """Which backend this is, and where it finds what it needs without a supervisor.

    Attributes:
        pair: its databases, `old` or `new`.
        otherwise: the pair to be served where nobody has named one.
        pointer: the file that names the pair to be served.
        meeting: the path of a socket at which a new supervisor finds it.
    """

    pair: str
    otherwise: str
    pointer: Path
    meeting: Path

    def is_named(self) -> bool:
        """Whether this is the pair to be served."""
        try:
            named = json.loads(self.pointer.read_text(encoding="utf-8"))["pair"]
        except (OSError, ValueError, KeyError, TypeError):
            named = self.otherwise
        return bool(named == self.pair)


class Control:
    """Carries out what is said on a channel."""

    def __init__(self, place: Place, public: Public, port: int, leave: Callable[[], None]) -> None:
        self.place = place
        self.public = public
        self._port = port
        self._leave = leave
        self._channel: Channel | None = None
        self._taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._holding: asyncio.Task[None] | None = None
        self._left: list[Parked] = []
        self._alone = Alone(place.meeting.parent)

    async def obey(self, end: socket.socket) -> None:
        """Obey the supervisor at the other end, and each that takes its place."""
        handing_over = asyncio.create_task(self._hand_over())
        try:
            await self._listen(Channel(end))
            while await self._may_go_on_alone():
                end = await self._met()
                await self._listen(Channel(end), self.public.listener)
        finally:
            handing_over.cancel()
        self._leave()

    async def _listen(self, channel: Channel, *shown: socket.socket) -> None:
        self._channel = channel
        hello = {
            "event": "listening",
            "pair": self.place.pair,
            "port": self._port,
            "pid": os.getpid(),
            "accepting": self.public.accepting,
        }
        with contextlib.suppress(OSError):
            await channel.send(hello, [each.fileno() for each in shown])
            while (message := await channel.receive()) is not None:
                await self._carry_out(channel, message)
        await self._stop_holding()
        self._channel = None
        self._answer_taken(False)
        channel.close()

    async def _carry_out(self, channel: Channel, message: Message) -> None:
        said = message.said
        match said["do"]:
            case "adopt":
                self.public.adopt(parked_of(message))
                await channel.send({"event": "adopted"})
            case "accept":
                await self._stop_holding()
                self.public.accept()
                await channel.send({"event": "accepting"})
            case "hold":
                await self._stop_holding()
                await channel.send({"event": "holding"})
                self._holding = asyncio.create_task(self._hold(channel, said["stream_seconds"]))
            case "taken":
                self._answer_taken(True)

    async def _stop_holding(self) -> None:
        holding, self._holding = self._holding, None
        if holding is not None:
            holding.cancel()
            await asyncio.wait([holding])

    async def _hold(self, channel: Channel, stream_seconds: float) -> None:
        """Come to rest, say so, and give away what its clients read on only later."""
        cut = await self.public.hold(stream_seconds, running.stop_answers)
        await finish_background()
        await self.public.parted.join()
        with contextlib.suppress(OSError):
            await channel.send({"event": "held", "cut": cut})
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.public.part_idle()

    async def _hand_over(self) -> None:
        """Give the supervisor what was parted from, a message at a time."""
        while True:
            batch = await self._batch()
            if await self._took(batch):
                for each in batch:
                    os.close(each.descriptor)
            else:
                self._left += batch
            for _ in batch:
                self.public.parted.task_done()

    async def _batch(self) -> list[Parked]:
        parted = self.public.parted
        batch = [await parted.get()]
        while len(batch) < MOST_DESCRIPTORS and not parted.empty():
            batch.append(parted.get_nowait())
        return batch

    async def _took(self, batch: list[Parked]) -> bool:
        """Whether the supervisor has these connections. Its word is waited for, so that the
        messages on the way never fill the channel."""
        if self._channel is None:
            return False
        self._taken = asyncio.get_running_loop().create_future()
        read = {str(n): b64encode(each.read).decode() for n, each in enumerate(batch) if each.read}
        try:
            descriptors = [each.descriptor for each in batch]
            await self._channel.send({"event": "parked", "read": read}, descriptors)
            return await self._taken
        except OSError:
            return False

    def _answer_taken(self, took: bool) -> None:
        if not self._taken.done():
            self._taken.set_result(took)

    async def _may_go_on_alone(self) -> bool:
        """Whether this is the backend to serve while there is no supervisor: never two, never
        none. One that serves goes on; else the one that the pointer names begins."""
        if not self.public.accepting:
            if not self.place.is_named():
                return False
            await asyncio.sleep(_PRECEDENCE_SECONDS)
        if not self._alone.take():
            return False
        _log.warning("there is no supervisor; going on without one")
        left, self._left = self._left, []
        self.public.adopt(left)
        self.public.accept()
        return True

    async def _met(self) -> socket.socket:
        """Wait until a supervisor comes to this backend's meeting place."""
        loop, path = asyncio.get_running_loop(), self.place.meeting
        with socket.socket(socket.AF_UNIX) as door:
            door.setblocking(False)
            path.unlink(missing_ok=True)
            door.bind(str(path))
            door.listen()
            try:
                end, _ = await loop.sock_accept(door)
            finally:
                path.unlink(missing_ok=True)
        self._alone.give_back()
        return end


class Alone:
    """The right to serve without a supervisor: one process a folder has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "alone.lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Take it; false where another process has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        """Give it back; a process that ends does so by itself."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def parked_of(message: Message) -> list[Parked]:
    """The connections that came with a message."""
    read = message.said.get("read", {})
    return [
        Parked(descriptor, b64decode(read.get(str(number), "")))
        for number, descriptor in enumerate(message.descriptors)
    ]


async def finish_background() -> None:
    """Let what follows answers come to its end, for a while: its database may change then."""
    if not await _ended():
        await running.stop_all()
    if not await _ended():
        _log.warning("background work goes on", extra={"tasks": running.under_way()})


async def _ended() -> bool:
    deadline = time.monotonic() + BACKGROUND_SECONDS
    while running.under_way() and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS / 5)
    return not running.under_way()
