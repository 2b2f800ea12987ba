"""The small process that owns the public socket: `python -m ops.backend.supervisor FOLDER`.

The backend inherits the socket and the environment of this process. When it ends another is
started, and who calls meanwhile waits in the socket's queue. SIGTERM ends both. By SIGHUP this
process becomes what would be started now: with the environment that was left for it in a document,
and with the socket.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ops.backend.foreground import uvicorn_command
from ops.processes import HOME, end, found_process, lives
from ops.state_folder import StateFolder
from ops.waiting import wait_until

DOCUMENT = "backend"
# What a running supervisor is to become; read once, and removed then.
TOLD = "backend_told"
BACKEND = "uvicorn"
MODULE = "ops.backend.supervisor"
LOOPBACK = "127.0.0.1"
# Variables of its environment: what is served, by which marks that is known again, and which
# descriptor the public socket is, once there is one.
APPLICATION, MARK, LISTENER = "BACKEND_APPLICATION", "BACKEND_MARK", "BACKEND_LISTENER"
# uvicorn ends what is under way after ten seconds, and then the application itself.
LEAVE_SECONDS = 20.0

_log = logging.getLogger("sigmasight.supervisor")
_USUAL_PORT = 8000
_BACKLOG = 1024
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 30.0
_STEADY_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_FREED_SECONDS = 2.0


def main() -> None:
    """Keep the backend of a state folder running until a signal ends both."""
    logging.basicConfig(level=logging.INFO, handlers=[_handler()])
    _allow_many_connections()
    state = StateFolder(Path(sys.argv[1]))
    inherited = os.environ.pop(LISTENER, None)
    listener = asyncio.run(Supervisor(state, inherited).run())
    if listener is not None:
        _become_told(state, listener)


class Supervisor:
    """Which backend runs, and what this process was told.

    Args:
        inherited: the descriptor of the public socket, where this process has it already.
    """

    def __init__(self, state: StateFolder, inherited: str | None) -> None:
        self._state = state
        self._inherited = inherited
        self._signals: set[signal.Signals] = set()
        self._told = asyncio.Event()

    async def run(self) -> socket.socket | None:
        """Supervise; returns the public socket for what this process is to become, or None where
        nothing is to be served any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._tell, number)
        listener = await self._listener()
        await self._keep_serving(listener)
        return listener if self._signals == {signal.SIGHUP} else None

    def _tell(self, number: signal.Signals) -> None:
        self._signals.add(number)
        self._told.set()

    async def _listener(self) -> socket.socket:
        if self._inherited is not None:
            return socket.socket(fileno=int(self._inherited))
        known = self._state.read(DOCUMENT)
        await self._outlive_orphan(known)
        return _listen(int(known.get("port", _USUAL_PORT)))

    async def _outlive_orphan(self, known: dict[str, Any]) -> None:
        """A backend whose supervisor was killed serves on, with the public socket, which nobody can
        take from it: it is left alone for as long as it is what would be started."""
        orphan = backend_of(self._state)
        if orphan is None:
            return
        self._record(**{**known, "pid": os.getpid()})
        wanted = known["mark"] == os.environ[MARK]
        while wanted and lives(orphan) and not self._told.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.to_thread(end, [orphan], LEAVE_SECONDS)

    async def _keep_serving(self, listener: socket.socket) -> None:
        """Start a backend again and again, until there is a signal."""
        loop, failed = asyncio.get_running_loop(), 0
        while not self._told.is_set():
            begun = loop.time()
            try:
                await self._attend(await _started(listener), listener.getsockname()[1], failed)
            except OSError as error:
                _log.warning("the backend does not start: %s", error.strerror)
            failed = failed + 1 if loop.time() - begun < _STEADY_SECONDS else 0
            await self._pause(min(_FIRST_DELAY * 2 ** max(0, failed - 1), _LONGEST_DELAY))

    async def _attend(self, process: Process, port: int, failed: int) -> None:
        """Until the backend has ended: by itself, or because there is a signal."""
        mark = os.environ[MARK]
        self._record(pid=os.getpid(), port=port, mark=mark, backend=process.pid, failed=failed)
        ended, told = (asyncio.ensure_future(one) for one in (process.wait(), self._told.wait()))
        await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        for leave in (process.terminate, process.kill):
            if not ended.done():
                leave()
                await asyncio.wait([ended], timeout=LEAVE_SECONDS)
        if not self._told.is_set():
            _log.warning("the backend %d ended; another is started", process.pid)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._told.wait()

    def _record(self, **known: Any) -> None:
        """Write down what commands and a later supervisor must find: both processes, the port, the
        mark of what serves, and how often it has ended at its start."""
        with suppress(OSError):  # a full disk is no reason to serve nobody
            self._state.write(DOCUMENT, known)


def backend_of(state: StateFolder) -> psutil.Process | None:
    """The backend that was started last, if it runs."""
    return found_process(state.read(DOCUMENT).get("backend"), BACKEND, (HOME, str(state.root)))


async def _started(listener: socket.socket) -> Process:
    words = uvicorn_command(os.environ[APPLICATION], "--fd", str(listener.fileno()))
    return await asyncio.create_subprocess_exec(*words, pass_fds=[listener.fileno()], stdin=DEVNULL)


def _listen(preferred: int) -> socket.socket:
    """The socket that users reach, on the preferred port or on any that is free."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit this.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Threads of a backend that has just ended may keep it for a moment.
    if not wait_until(lambda: _bound(listener, preferred), _FREED_SECONDS):
        listener.bind((LOOPBACK, 0))
    listener.listen(_BACKLOG)
    return listener


def _bound(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        return False
    return True


def _become_told(state: StateFolder, listener: socket.socket) -> None:
    told = state.read(TOLD)
    state.remove(TOLD)
    environment = told.get("environment", dict(os.environ))
    with suppress(OSError):
        os.chdir(told.get("folder", "."))
    listener.set_inheritable(True)
    words = supervisor_command(state)
    os.execve(words[0], words, {**environment, LISTENER: str(listener.fileno())})


def supervisor_command(state: StateFolder) -> list[str]:
    """The command line of the supervisor of a state folder."""
    return [sys.executable, "-P", "-m", MODULE, str(state.root)]


def _allow_many_connections() -> None:
    """Each user's connection is an open file of the backend, which inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Json(logging.Formatter):
    """The backend writes lines of JSON into the same log."""

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
