"""Connections that hear nothing any more are closed, so that whoever waits for them goes on.

A peer that stalls still acknowledges what it is sent, and libpq then waits for ever, also in the
ROLLBACK at the end of a block. So a thread looks: a connection that has had no answer for long is
closed where its address does not answer either, or where its session waits for a next statement.
"""

import os
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg.errors import ConnectionTimeout
from psycopg.pq import TransactionStatus

from app.stalled import hang_up

SILENT_SECONDS = 15.0
_PAUSE_SECONDS = 0.2
# Of Linux' tcp_info: milliseconds since data came last.
_LAST_RECEIVED, _TCP_INFO_BYTES = 52, 104
_STATE = "SELECT state FROM pg_stat_activity WHERE pid = %s AND application_name = %s"

Reopen = Callable[[], psycopg.Connection]


@dataclass
class _Opened:
    """An open connection.

    Attributes:
        reopen: connects to its address once more.
        deadline: when it is closed in any case, on the monotonic clock.
        heard: when it was last known to be alive.
        idle: how often in turn its session was found to wait.
    """

    known: "weakref.ref[psycopg.Connection]"
    reopen: Reopen
    deadline: float | None
    heard: float = field(default_factory=time.monotonic)
    idle: int = 0

    def is_silent(self, connection: psycopg.Connection) -> bool:
        since = time.monotonic() - self.heard
        return min(since, _unheard_seconds(connection)) > SILENT_SECONDS

    def is_over(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


_opened: dict[int, _Opened] = {}
_deadline: float | None = None
_thread = threading.Thread()
# A process that was forked shares its parent's sockets, and must not close them.
os.register_at_fork(after_in_child=_opened.clear)


def keep_watch(connection: psycopg.Connection, reopen: Reopen) -> None:
    """Watch a connection until it is closed.

    Args:
        reopen: connects to its address once more, with a bound.
    """
    global _thread
    _opened[id(connection)] = _Opened(weakref.ref(connection), reopen, _deadline)
    if not _thread.is_alive():  # the first time, and in a process that was forked
        _thread = threading.Thread(target=_watch, name="watch of connections", daemon=True)
        _thread.start()


@contextmanager
def closed_at(deadline: float, opened: Iterable[psycopg.Connection] = ()) -> Iterator[None]:
    """Close when `deadline` has come, on the monotonic clock, what is opened in the block, and what
    was `opened` before it."""
    global _deadline
    before, _deadline = _deadline, deadline
    for connection in opened:
        if watched := _opened.get(id(connection)):  # else it is closed already
            watched.deadline = deadline
    try:
        yield
    finally:
        _deadline = before


def _watch() -> None:
    while True:
        time.sleep(_PAUSE_SECONDS)
        for key, one in list(_opened.items()):
            connection = one.known()
            if connection is None or connection.closed:
                if _opened.get(key) is one:  # not one that has its address since
                    del _opened[key]
                continue
            # A descriptor may be closed while it is looked at.
            with suppress(OSError, psycopg.Error):
                _look(one, connection)
            del connection


def _look(one: _Opened, connection: psycopg.Connection) -> None:
    if one.is_over():
        hang_up(connection)
    elif connection.info.transaction_status != TransactionStatus.ACTIVE:
        one.idle = 0
    elif one.is_silent(connection):
        one.heard = time.monotonic()
        threading.Thread(target=_ask, args=(one, connection), daemon=True).start()


def _ask(one: _Opened, connection: psycopg.Connection) -> None:
    try:
        # A statement may be on its way at the first look.
        one.idle = one.idle + 1 if _waits(one.reopen, connection) else 0
        stalled = one.idle > 1
    except ConnectionTimeout:
        stalled = True
    except psycopg.Error:  # an answer too
        stalled = False
    if stalled:
        with suppress(OSError, psycopg.Error):
            hang_up(connection)


def _waits(reopen: Reopen, connection: psycopg.Connection) -> bool:
    """Whether its session waits for a statement, while here an answer is waited for."""
    name = connection.info.parameter_status("application_name")
    with reopen() as second:
        row = second.execute(_STATE, [connection.info.backend_pid, name]).fetchone()
    return row is not None and str(row[0]).startswith("idle")


def _unheard_seconds(connection: psycopg.Connection) -> float:
    """How long no data has come; a local socket cannot stall so."""
    if not hasattr(socket, "TCP_INFO"):
        return float("inf")
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        if end.family == socket.AF_UNIX:
            return 0.0
        told = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return float(struct.unpack_from("I", told, _LAST_RECEIVED)[0]) / 1000
