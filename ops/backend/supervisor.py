"""The small process that owns the public socket: `python -m ops.backend.supervisor FOLDER`.

It is in memory for as long as anything is served, so it knows little more than the standard
library. What the backends are told comes to it over a socket that is closed to others.
"""

import asyncio
import fcntl
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from app.serving.channel import Channel
from ops.backend.child import BACKEND, LOOPBACK, Child, ChildGoneError, Spec, Waiting
from ops.backend.control import control_folder, supervisor_socket
from ops.backend.supervision import DOCUMENT, CannotServeError, Supervisor
from ops.processes import HOME, found_process, lives
from ops.state_folder import StateFolder
from ops.waiting import wait_until, wait_until_async

_log = logging.getLogger("sigmasight.supervisor")
_USUAL_PORT = 8000
_BACKLOG = 1024
_ORPHAN_SECONDS = 5.0
_LONGEST_LINE = 4 * 2**20

Said = dict[str, Any]
Orphan = tuple[Child, socket.socket]


def main() -> None:
    """Supervise the backends of a state folder until nothing is left to serve."""
    logging.basicConfig(level=logging.INFO, handlers=[_handler()])
    _allow_many_connections()
    state = StateFolder(Path(sys.argv[1]))
    with open(control_folder(state) / "supervisor.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("error: another supervisor works here")
        asyncio.run(_supervise(state))


async def _supervise(state: StateFolder) -> None:
    recorded = state.read(DOCUMENT)
    supervisor = Supervisor(state)
    supervisor.listener.close()
    orphan = await _find_orphan(state, recorded, supervisor.park)
    if orphan is not None:
        supervisor.take_over(*orphan)
    else:
        supervisor.listener = _listen(int(recorded.get("port", _USUAL_PORT)))
    supervisor.record()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.ended.set)
    async with await _Orders(supervisor).listen(supervisor_socket(state)):
        await supervisor.ended.wait()
        await supervisor.stop()
    supervisor.record()
    for left in control_folder(state).glob("*.sock"):
        left.unlink(missing_ok=True)


async def _find_orphan(
    state: StateFolder, recorded: Mapping[str, Any], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    """The backend whose supervisor was killed and that goes on serving, if any, with the public
    socket that it holds. One that can neither be met nor leaves is killed: it would hold the
    address for ever."""
    found: Orphan | None = None
    for each in recorded.get("backends", []):
        orphan = await _meet(each, (HOME, str(state.root)), parked)
        if found is not None and orphan is not None:
            orphan[0].kill()
            orphan[1].close()
        else:
            found = found or orphan
    return found


async def _meet(
    each: Mapping[str, Any], told: tuple[str, str], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    process = found_process(each["pid"], BACKEND, told)
    if process is None:
        return None
    orphan = await wait_until_async(
        partial(_greeted, each, parked), _ORPHAN_SECONDS, unless=lambda: not lives(process)
    )
    if orphan is None:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        wait_until(lambda: not lives(process), _ORPHAN_SECONDS)
    return orphan


async def _greeted(
    each: Mapping[str, Any], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    """The backend behind a door that opens, unless it does not say a word."""
    end = await _connected(each["meeting"])
    if end is None:
        return None
    child = Child(each["pair"], Channel(end), Path(each["meeting"]), parked)
    child.marks = each["marks"]
    try:
        hello = await child.listening(_ORPHAN_SECONDS)
    except ChildGoneError:
        child.forget()
        return None
    return child, socket.socket(fileno=hello.descriptors[0])


async def _connected(path: str) -> socket.socket | None:
    end = socket.socket(socket.AF_UNIX)
    end.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(end, path)
    except OSError:
        end.close()
        return None
    return end


def _listen(preferred: int) -> socket.socket:
    """The socket that users reach, on the preferred port or on any that is free. Whoever may serve
    inherits it, so it outlives each of them; callers wait in its queue until a backend takes them.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit this.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((LOOPBACK, preferred))
    except OSError:
        listener.bind((LOOPBACK, 0))
    listener.listen(_BACKLOG)
    return listener


def _allow_many_connections() -> None:
    """All of the users' connections may be open files of this process for a moment."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Orders:
    """What the supervisor is told. Commands are carried out one after the other on a connection."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> asyncio.Server:
        """Hear commands at `path`."""
        path.unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._hear, path, limit=_LONGEST_LINE)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                await self._answer(json.loads(line), reader, writer)
        writer.close()

    async def _answer(
        self, said: Said, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if said["do"] == "hold":
            hold = _Hold(self._supervisor, reader, writer)
            await hold.carry_out(said["stream_seconds"], said["most_seconds"])
            return
        try:
            await _tell(writer, await self._carry_out(said))
        except CannotServeError as error:
            await _tell(writer, {"refused": str(error)})
        except (ChildGoneError, OSError):
            await _tell(writer, {"refused": "does not start"})

    async def _carry_out(self, said: Said) -> Said:
        supervisor = self._supervisor
        match said["do"]:
            case "status":
                return supervisor.status()
            case "serve":
                self._background(self._serve(said))
            case "stage":
                return {"port": await supervisor.stage(_spec(said))}
            case "retire":
                await supervisor.retire(said["pair"])
            case "flip":
                raise CannotServeError("serves again: nothing is held any more")
            case "release" if said["pair"] != supervisor.serving:
                raise CannotServeError("serves again, from the other pair")
            case "release":
                return {"seconds": supervisor.waited}
            case "stop":
                self._background(supervisor.stop())
        return {}

    async def _serve(self, said: Said) -> None:
        await self._supervisor.serve(
            _spec(said), anew=said["anew"], patience=float(said["patience"])
        )

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Hold:
    """Nobody is served for as long as one connection lasts, or until it says otherwise, or until
    users have waited as long as they may."""

    def __init__(
        self, supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._supervisor = supervisor
        self._reader = reader
        self._writer = writer
        self._released = False
        self._limit = asyncio.timeout(None)

    async def carry_out(self, stream_seconds: float, most_seconds: float) -> None:
        """Hold, obey what is said meanwhile, and serve again however that ends."""
        supervisor = self._supervisor
        if supervisor.active is None:
            await _tell(self._writer, {"refused": "is not there: nothing is served"})
            return
        async with supervisor.changing:
            self._limit = asyncio.timeout(most_seconds)
            try:
                async with self._limit:
                    await self._held(stream_seconds)
            except TimeoutError:
                _log.warning("users have waited for %s s, and are served again", most_seconds)
            finally:
                if not self._released:
                    with suppress(CannotServeError):
                        await supervisor.release()

    async def _held(self, stream_seconds: float) -> None:
        """The first line is read while requests come to their end: its end ends the wait."""
        line = asyncio.create_task(self._reader.readline())
        coming = asyncio.create_task(self._supervisor.hold(stream_seconds))
        try:
            await asyncio.wait([line, coming], return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                return
            with suppress(OSError):
                await _tell(self._writer, {"cut": coming.result()})
                while (said := await line) and not self._released:
                    await self._obey(json.loads(said))
                    if not self._released:
                        line = asyncio.create_task(self._reader.readline())
        finally:
            # What is said from now on is heard by nobody here.
            line.cancel()
            coming.cancel()
            await asyncio.wait([line, coming])

    async def _obey(self, said: Said) -> None:
        answer: Said = {}
        if said["do"] == "flip":
            self._supervisor.flip(said["pair"])
        elif said["do"] == "release":
            self._released = True
            self._limit.reschedule(None)  # to serve again is not broken off
            try:
                answer = {"seconds": await self._supervisor.release(said["pair"])}
            except CannotServeError as error:
                answer = {"refused": str(error)}
        await _tell(self._writer, answer)


def _spec(said: Said) -> Spec:
    return Spec(**said["spec"])


async def _tell(writer: asyncio.StreamWriter, answer: Said) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


class _Json(logging.Formatter):
    """The backends write lines of JSON into the same log."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exc_info"] = self.formatException(record.exc_info)
        return json.dumps({**said, "pid": os.getpid()})


def _handler() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(_Json())
    return handler


if __name__ == "__main__":
    main()
