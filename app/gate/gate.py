"""The gate of one process: it counts requests, lets them wait, and changes the pair meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from app.agent import running
from app.errors import UnavailableError
from app.gate.serving_pair import Pair, serving_pair

# For how long a pair is served after it was read that it is to be: a process that was stopped, or
# cut off from Core, may have missed a change. Who changes it waits for those that may still serve.
BELIEVED_SECONDS: Mapping[Pair, float] = {"old": 2.0, "new": 10.0}
# A client that has begun a request must have sent it by then, while all others wait.
BODY_SECONDS = 3.0
_PATIENCE_SECONDS = 10.0

State = Literal["open", "held", "flipped"]


@dataclass(frozen=True)
class Order:
    """What the row says: `ops.gate`.

    Attributes:
        seconds_left: until the hold ends by itself.
        stream_seconds: where it is open, and this is not 0, a hold is near: streams under way have
            so much time to end, and new ones wait.
        trial_digest: of the word by which the other pair may be asked.
    """

    pair: Pair
    epoch: int
    state: State
    seconds_left: float = 0.0
    stream_seconds: float = 0.0
    trial_digest: str | None = None

    @property
    def ends_streams(self) -> bool:
        """Whether all but streams are served."""
        return self.state == "open" and self.stream_seconds > 0

    def goes_on_from(self, before: "Order | None") -> bool:
        """Whether nothing is to be done that the order before has not begun."""
        return before is not None and (
            (self.epoch, self.state == "open", self.ends_streams)
            == (before.epoch, before.state == "open", before.ends_streams)
        )


class Gate:
    """Which pair is served by this process, and whether requests wait.

    Attributes:
        order: what was read last; None before anything was.
    """

    def __init__(self) -> None:
        self.order: Order | None = None
        self._opened = asyncio.Event()
        self._streams_begin = asyncio.Event()
        self._renewed = asyncio.Event()
        self._believed_until = 0.0
        self._held_until = 0.0
        self._under_way: set[_Request] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._doubting: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests are let through."""
        return self._opened.is_set()

    @property
    def epoch(self) -> int:
        """Of the order that was read last."""
        return self.order.epoch if self.order else 0

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way: nothing that a request has started and, unless they are
        let through, no request."""
        return not running.under_way() and (self.is_open or not self._under_way)

    @property
    def overdue(self) -> bool:
        """Whether the hold should have ended, for all that is known here."""
        return not self.is_open and time.monotonic() > self._held_until

    @property
    def believes_for(self) -> float:
        """Seconds for which the pair is still served, unless it is said again."""
        return self._believed_until - time.monotonic()

    def obey(self, order: Order, seen_at: float) -> None:
        """Do what the row says; `seen_at` (monotonic) is when it was asked for."""
        self._believe(seen_at + BELIEVED_SECONDS[order.pair])
        before, self.order = self.order, order
        if not order.goes_on_from(before):
            for timer in self._timers:
                timer.cancel()
            self._timers = self._open(order) if order.state == "open" else self._hold(order)
        if order.state != "open":
            running.stop_begun()  # each time: a request that was let in before may begin one later
        self._renewed.set()
        self._renewed.clear()

    @contextmanager
    def passing(self, pair: Pair) -> Iterator["_Request"]:
        """Serve a request from a pair; it is counted until its answer is complete."""
        request = _Request(self)
        served, present = serving_pair.set(pair), _present.set(request)
        try:
            yield request
        finally:
            request.end()
            _present.reset(present)
            serving_pair.reset(served)

    async def enter(self) -> Pair:
        """Wait until requests are let through, and say from which pair this one is answered.

        Raises:
            UnavailableError: nobody can say it in time.
        """
        try:
            async with asyncio.timeout(self._patience()):
                while not (self.is_open and self.believes_for > 0):
                    await (self._renewed if self.is_open else self._opened).wait()
        except TimeoutError:
            raise UnavailableError("Which database serves is not known; try again") from None
        assert self.order is not None  # nothing opens it before
        return self.order.pair

    async def streams_begin(self) -> None:
        """Wait until streams may begin, but not for ever: who gave them time may have died."""
        seconds = self.order.stream_seconds if self.order else 0.0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
                await self._streams_begin.wait()

    @property
    def ends_streams(self) -> bool:
        """Whether new streams are to wait."""
        return self.order is not None and self.order.ends_streams

    def _patience(self) -> float:
        return max(0.0, self._held_until - time.monotonic()) + _PATIENCE_SECONDS

    def _believe(self, until: float) -> None:
        self._believed_until = until
        if self._doubting is not None:
            self._doubting.cancel()
        loop = asyncio.get_running_loop()
        self._doubting = loop.call_later(until - time.monotonic(), self._doubt)

    def _doubt(self) -> None:
        """Nobody waits for this process any more, so nothing of it may still write to Core. The old
        database refuses by itself what comes after its lock."""
        if self.order is not None and self.order.pair == "new":
            for request in self._under_way:
                request.cut("Core does not say any more that it serves")
            running.stop_begun()

    def _open(self, order: Order) -> list[asyncio.TimerHandle]:
        self._held_until = 0.0
        self._opened.set()
        if not order.ends_streams:
            self._streams_begin.set()
            return []
        self._streams_begin.clear()
        loop = asyncio.get_running_loop()
        return [loop.call_later(order.stream_seconds, running.stop_begun)]

    def _hold(self, order: Order) -> list[asyncio.TimerHandle]:
        self._opened.clear()
        self._held_until = time.monotonic() + order.seconds_left
        return [asyncio.get_running_loop().call_later(BODY_SECONDS, self._cut_late)]

    def _cut_late(self) -> None:
        for request in self._under_way:
            if request.awaits_body:
                request.cut("the client sends too slowly")


class _Request:
    """A request that has passed the gate.

    Attributes:
        awaits_body: whether its client has still to send.
        is_answered: whether its answer has begun.
    """

    def __init__(self, gate: Gate) -> None:
        self.awaits_body = True
        self.is_answered = False
        self._is_cut = False
        self._task = asyncio.current_task()
        self.gate = gate
        gate._under_way.add(self)

    def end(self) -> None:
        """Its answer is complete, as far as the application is concerned."""
        self.gate._under_way.discard(self)

    async def pass_again(self) -> None:
        """Go on with the pair that is served now."""
        serving_pair.set(await self.gate.enter())
        self.gate._under_way.add(self)

    def cut(self, why: str) -> None:
        """Break it off."""
        if self._task is not None:
            self._is_cut = True
            self._task.cancel(why)

    def take_back(self) -> bool:
        """Let its task go on after `cut`, to say so, if its client has heard nothing yet; whether
        that may be said."""
        if self._task is None or self.is_answered or not self._is_cut:
            return False
        return self._task.uncancel() == 0


_present: ContextVar[_Request | None] = ContextVar("present_request", default=None)


@asynccontextmanager
async def outside() -> AsyncIterator[None]:
    """The request asks no database in this block, so a change of the pair does not wait for it: it
    passes the gate again at the block's end. Sessions from before are of the pair from before.

    Raises:
        UnavailableError: nobody can say in time which pair is served.
    """
    request = _present.get()
    if request is None:
        yield
        return
    request.end()
    try:
        yield
    except Exception:
        await request.pass_again()  # whoever handles it may ask a database
        raise
    await request.pass_again()


async def before_stream() -> None:
    """Wait, where a change of the pair is near, until it is over. Raises what `outside` does."""
    request = _present.get()
    if request is not None and request.gate.ends_streams:
        async with outside():
            await request.gate.streams_begin()
