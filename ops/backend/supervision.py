"""Which of the backends of a state folder serves from the public socket, and who waits for that."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ops.backend.child import Child, ChildGoneError, Spec, Waiting, WaitingRoom, start
from ops.backend.control import control_folder
from ops.books.active_pair import Pair, active_pair, set_active_pair
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

DOCUMENT = "backend"
# Tells a supervisor of which code it is.
CODE_VARIABLE = "SUPERVISOR_CODE"
# When one backend replaces another of its pair.
_STREAM_SECONDS = 10.0
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 30.0
_STEADY_SECONDS = 30.0

_log = logging.getLogger("sigmasight.supervisor")


class CannotServeError(Exception):
    """What was asked for cannot be done. The message is the end of a sentence."""


class Supervisor:
    """Which backend serves, which ones stand by, and who waits.

    Attributes:
        changing: held by whoever changes which backend serves.
        active: the one that serves, or served last.
        staged: those that stand by, one a pair.
        held: whether nobody serves on purpose.
        listener: the public socket.
        failure: why the last start came to nothing.
        ended: set when there is nothing more to do.
        waited: for how many seconds nobody served at the last hold.
    """

    def __init__(self, state: StateFolder) -> None:
        self.state = state
        self.listener = socket.socket()
        self.changing = asyncio.Lock()
        self.active: Child | None = None
        self.staged: dict[Pair, Child] = {}
        self.specs: dict[Pair, Spec] = {}
        self.wanted: Spec | None = None
        self.held = False
        self.failure: str | None = None
        self.ended = asyncio.Event()
        self._room = WaitingRoom()
        self._children: set[Child] = set()
        self._staging = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay = _FIRST_DELAY
        self._held_since = 0.0
        self.waited = 0.0

    def take_over(self, orphan: Child, listener: socket.socket) -> None:
        """Go on with a backend that served without a supervisor, and with the socket it holds."""
        self.listener, self.active = listener, orphan
        self._watch(orphan)
        _log.info("took over the backend %d", orphan.pid)

    @property
    def port(self) -> int:
        """The public one."""
        return int(self.listener.getsockname()[1])

    @property
    def serving(self) -> Pair | None:
        """The pair that is served, or was before it was held."""
        return self.active.pair if self.active else None

    def status(self) -> dict[str, Any]:
        """What there is, without any secret."""
        active = self.active
        return {
            "code": os.environ.get(CODE_VARIABLE),
            "port": self.port,
            "serving": active.pair if active and active.alive else None,
            "pid": active.pid if active and active.alive else None,
            "marks": dict(active.marks) if active else {},
            "wanted": dict(self.wanted.marks) if self.wanted else {},
            "changing": self.changing.locked(),
            "held": self.held,
            "failure": self.failure,
            "staged": {
                pair: {"port": child.port, "pid": child.pid, "marks": dict(child.marks)}
                for pair, child in self.staged.items()
                if child.alive and child.port
            },
        }

    async def serve(self, spec: Spec, *, anew: bool, patience: float) -> None:
        """Have a backend of `spec` serve, and end the one that it replaces. What serves as asked
        already stays.

        Args:
            anew: replace also what serves as asked: it does not answer.
            patience: how many seconds a successor has until it must be ready.
        """
        self.wanted, self.failure = spec, None
        async with self.changing:
            try:
                await self._serve(spec, anew, patience)
            except (CannotServeError, ChildGoneError, OSError) as error:
                self.failure = str(error) or "is not there"
                _log.warning("the backend %s", self.failure)
        if self.active is None:
            self.ended.set()
        self.record()

    async def _serve(self, spec: Spec, anew: bool, patience: float) -> None:
        active = self.active
        if active and active.alive and not anew and _like(active, spec):
            active.spec = self.specs[spec.pair] = spec
            return
        child = await self._started(spec, spec.pair)
        if active and active.alive:
            if not await child.ready(patience):
                child.kill()
                raise CannotServeError("is not ready: a database is missing or behind")
            await self.hold(_STREAM_SECONDS)
        try:
            await self._let_serve(child)
        except ChildGoneError:
            await self.release(self.serving)
            raise
        self.specs[spec.pair] = spec
        if active:
            self.staged.pop(active.pair, None)
            self._background(active.leave())

    async def stage(self, spec: Spec) -> int:
        """Have a backend stand by; the port of its private address. One that serves stays there.

        Raises:
            ChildGoneError: it does not start.
        """
        async with self._staging:
            known = self.active if self.serving == spec.pair else self.staged.get(spec.pair)
            if known and known.alive and (known is self.active or _like(known, spec)):
                return known.port
            child = await self._started(spec, self.serving or spec.pair)
            self.specs[spec.pair] = spec
            self.staged[spec.pair] = child
            if known is not None:
                self._background(known.leave())
            return child.port

    async def retire(self, pair: Pair) -> None:
        """End the backend of a pair that is not served.

        Raises:
            CannotServeError: it serves.
        """
        if self.serving == pair:
            raise CannotServeError("serves; another pair must serve before it can end")
        self.specs.pop(pair, None)
        if (child := self.staged.pop(pair, None)) is not None:
            await child.leave()
        self.record()

    async def hold(self, stream_seconds: float) -> int:
        """Let nobody serve, and wait until nothing is under way; how many were cut off. The caller
        holds `changing`."""
        self.held, self._held_since = True, time.monotonic()
        if (active := self.active) is None or not active.alive:
            return 0
        try:
            return await active.hold(stream_seconds)
        except ChildGoneError:
            _log.warning("the backend %d does not come to rest; it is killed", active.pid)
            active.kill()
            return 0

    def flip(self, pair: Pair) -> None:
        """Make `pair` the one to be served, also without this process."""
        set_active_pair(self.state, pair)

    def named(self) -> Pair | None:
        """The pair to be served: as the pointer says, else as before."""
        try:
            old_otherwise = self.serving != "new"
            return active_pair(self.state, has_legacy=old_otherwise)
        except ConfigurationError:
            return self.serving

    async def release(self, pair: Pair | None = None) -> float:
        """Serve again, and return for how long nobody did. The caller holds `changing`.

        Args:
            pair: by default the one that is named.

        Raises:
            CannotServeError: there is no backend of `pair`; another one serves.
        """
        wanted = pair or self.named()
        for child in self._candidates(wanted):
            try:
                await self._let_serve(child)
            except ChildGoneError:
                continue
            break
        else:
            await self._serve_anew(wanted)
        if pair is not None and self.serving != pair:
            raise CannotServeError(f"of the {pair} pair is not there")
        self.waited = time.monotonic() - self._held_since
        return self.waited

    def _candidates(self, pair: Pair | None) -> Iterator[Child]:
        known = [self.active, *self.staged.values()]
        return (child for child in known if child and child.alive and child.pair == pair)

    async def _serve_anew(self, pair: Pair | None) -> None:
        """Start a backend of `pair`; where that is impossible, let any serve rather than none."""
        spec = self.specs.get(pair) if pair else None
        try:
            if spec is None:
                raise ChildGoneError
            await self._let_serve(await self._started(spec, spec.pair))
        except (ChildGoneError, OSError):
            for child in [*self._candidates("old"), *self._candidates("new")]:
                with suppress(ChildGoneError):
                    await self._let_serve(child)
                    return
            self.held = False
            self._background(self._revive())

    async def _let_serve(self, child: Child) -> None:
        """Make `child` the one that serves; who served before stands by."""
        await child.accept()
        before, self.active, self.held = self.active, child, False
        if self.staged.get(child.pair) is child:
            del self.staged[child.pair]
        if before is not None and before.pair != child.pair and before.alive:
            self.staged[before.pair] = before
        if child.spec is not None:
            self.wanted = child.spec
        await self._room.pass_on(child)
        asyncio.get_running_loop().call_soon(self.record)

    def park(self, waiting: list[Waiting]) -> None:
        """Let connections wait until somebody serves."""
        self._room.take(waiting)
        if not self.held and self.active:
            self._background(self._room.pass_on(self.active))

    async def _started(self, spec: Spec, otherwise: Pair) -> Child:
        """A new backend that listens at its private address.

        Raises:
            ChildGoneError: it does not come to that.
        """
        meeting = control_folder(self.state) / f"backend-{os.urandom(4).hex()}.sock"
        pointer = self.state.root / "active_pair.json"
        child = start(spec, self.listener, otherwise, pointer, meeting, self.park)
        self._watch(child)
        self.record()
        try:
            await child.listening()
        except ChildGoneError:
            child.kill()
            raise
        return child

    def _watch(self, child: Child) -> None:
        self._children.add(child)
        self._background(self._until_gone(child))

    async def _until_gone(self, child: Child) -> None:
        await child.gone.wait()
        self._children.discard(child)
        if self.staged.get(child.pair) is child:
            del self.staged[child.pair]
        if child is self.active and not self.held and not self.ended.is_set():
            _log.warning("the backend %d ended; another is started", child.pid)
            if time.monotonic() - child.begun < _STEADY_SECONDS:
                await asyncio.sleep(self._delay)
                self._delay = min(self._delay * 2, _LONGEST_DELAY)
            else:
                self._delay = _FIRST_DELAY
            await self._revive()

    async def _revive(self) -> None:
        """Have the pair served again whose backend ended, however often that takes."""
        while not self.ended.is_set():
            async with self.changing:
                if self.active is None or self.active.alive:
                    return
                spec = self.specs.get(self.active.pair)
                if spec is None:
                    return
                try:
                    await self._let_serve(await self._started(spec, spec.pair))
                    return
                except (ChildGoneError, OSError):
                    _log.warning("the backend does not start; it is tried again")
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 2, _LONGEST_DELAY)

    async def stop(self) -> None:
        """End all backends."""
        self.ended.set()
        await asyncio.gather(*(child.leave() for child in list(self._children)))

    def record(self) -> None:
        """Write down what a later supervisor must find."""
        backends = [
            {
                "pid": child.pid,
                "pair": child.pair,
                "meeting": str(child.meeting),
                "marks": dict(child.marks),
            }
            for child in self._children
        ]
        here = {"pid": os.getpid(), "port": self.port, "serving": self.serving}
        self.state.write(DOCUMENT, {**here, "backends": backends})

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _like(child: Child, spec: Spec) -> bool:
    return child.pair == spec.pair and dict(child.marks) == dict(spec.marks)
