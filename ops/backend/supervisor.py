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
import sys
from contextlib import suppress
from pathlib import Path

from ops.backend.control_folder import control_folder, supervisor_socket
from ops.backend.orders import Orders
from ops.backend.orphans import find_orphan
from ops.backend.public_socket import USUAL_PORT, listen
from ops.backend.supervision import DOCUMENT, Supervisor
from ops.state_folder import StateFolder


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
    orphan = await find_orphan(state, recorded, supervisor.park)
    if orphan is not None:
        supervisor.take_over(orphan)
    else:
        supervisor.listener = listen(int(recorded.get("port", USUAL_PORT)))
    supervisor.record()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.ended.set)
    async with await Orders(supervisor).listen(supervisor_socket(state)):
        await supervisor.ended.wait()
        await supervisor.stop()
    supervisor.record()
    for left in control_folder(state).glob("*.sock"):
        left.unlink(missing_ok=True)


def _allow_many_connections() -> None:
    """All of the users' connections may be open files of this process for a moment."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
