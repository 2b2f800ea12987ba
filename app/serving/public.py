"""Who may ask: the public socket, from which connections are taken only while this is told to."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from uvicorn.server import ServerState

from app.serving.connection import Parked, PublicConnection

Settled = Callable[[PublicConnection], None]
Factory = Callable[[Settled, Parked | None], PublicConnection]

# A client that has begun a request must have sent it by then; afterwards it is cut off.
BODY_SECONDS = 3.0
# What works on a request, and what follows it, may take that much longer than a stream.
REQUEST_SECONDS = 10.0
BETWEEN_LOOKS = 0.005
_AT_ONCE = 64
_PAUSE_SECONDS = 0.2


class Public:
    """The users' connections of this process.

    Attributes:
        state: uvicorn's account of them, apart from that of the private address.
        parted: connections that were given away and wait to be handed over.
    """

    def __init__(self, listener: socket.socket, state: ServerState, factory: Factory) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.state = state
        self.parted: asyncio.Queue[Parked] = asyncio.Queue()
        self._factory = factory
        self._arriving: set[asyncio.Task[None]] = set()
        self._accepting = False
        self._holding = False

    @property
    def accepting(self) -> bool:
        """Whether new connections are taken."""
        return self._accepting

    @property
    def connections(self) -> Iterator[PublicConnection]:
        """Those that are open."""
        return iter(list(self.state.connections))  # type: ignore[arg-type]

    def accept(self) -> None:
        """Take connections, those first that wait in the kernel's queue."""
        self._holding = False
        for connection in self.connections:
            connection.go_on()
        if not self._accepting:
            self._accepting = True
            asyncio.get_running_loop().add_reader(self.listener.fileno(), self._take)

    def adopt(self, parked: Iterable[Parked]) -> None:
        """Serve connections that were open elsewhere."""
        for each in parked:
            self._serve(socket.socket(fileno=each.descriptor), each)

    def stop(self) -> None:
        """Take no more connections."""
        if self._accepting:
            self._accepting = False
            asyncio.get_running_loop().remove_reader(self.listener.fileno())

    def empty_queue(self) -> None:
        """Take what waits in the kernel's queue, before nobody takes it any more."""
        while self._take_one():
            pass

    async def hold(self, stream_seconds: float, end_streams: Callable[[], None]) -> int:
        """Come to rest: no connection is taken, none begins a request, and none is under way.

        Connections without a request are given away at once, the others after their answer.

        Args:
            stream_seconds: how long streams may go on; afterwards `end_streams` ends them, also
                those that a request under way begins only then.

        Returns:
            How many connections were cut off, because their clients sent or read too slowly.
        """
        self.stop()
        self._holding = True
        begun, cut = time.monotonic(), 0
        while self.occupied:
            self.part_idle()
            waited = time.monotonic() - begun
            if waited >= stream_seconds:
                end_streams()
            cut += self._cut_late(waited, stream_seconds)
            await asyncio.sleep(BETWEEN_LOOKS)
        self.part_idle()
        return cut

    @property
    def occupied(self) -> bool:
        """Whether a request is under way, or a task of one still runs."""
        under_way = any(connection.under_way for connection in self.connections)
        return under_way or bool(self._arriving or self.state.tasks)

    def part_idle(self) -> None:
        """While holding, give away each connection on which nothing is under way."""
        for connection in self.connections:
            self._settled(connection)

    def _settled(self, connection: PublicConnection) -> None:
        if not self._holding or connection.under_way:
            return
        # An answer may wait for its client to read on; nothing new begins behind it.
        connection.be_still()
        if connection.written_out:
            parked = connection.part()
            if parked is not None:
                self.parted.put_nowait(parked)

    def _cut_late(self, waited: float, stream_seconds: float) -> int:
        """Cut off what takes too long; how many were cut."""
        if waited > stream_seconds + REQUEST_SECONDS:
            for task in list(self.state.tasks):
                task.cancel()
            late = [each for each in self.connections if each.under_way]
        elif waited > BODY_SECONDS:
            late = [each for each in self.connections if each.awaits_body]
        else:
            return 0
        for connection in late:
            connection.cut()
        return len(late)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._take_one():
                return

    def _take_one(self) -> bool:
        try:
            taken, _ = self.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:
            # Out of descriptors: what waits stays in the kernel's queue for a moment.
            if self._accepting:
                self.stop()
                asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._resume)
            return False
        self._serve(taken, None)
        return True

    def _resume(self) -> None:
        if not self._holding:
            self.accept()

    def _serve(self, taken: socket.socket, parked: Parked | None) -> None:
        task = asyncio.create_task(self._connect(taken, parked))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _connect(self, taken: socket.socket, parked: Parked | None) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._factory(self._settled, parked), taken
            )
