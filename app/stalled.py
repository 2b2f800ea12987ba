"""Peers that accept and then say nothing. Such a one still acknowledges what it is sent, so that no
time-out of the system or of libpq comes."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

Connection = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]


def hang_up(connection: Connection) -> None:
    """End both directions; the descriptor stays open for whoever waits on it."""
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def answered_within(seconds: float, connection: Connection) -> Iterator[None]:
    """Whoever waits longer in this block finds the connection closed. To cancel what waits is no
    way out: psycopg then asks the peer to cancel too, and waits up to ten seconds for that.

    Raises:
        psycopg.OperationalError: out of what waits.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up_if_open, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up_if_open(connection: Connection) -> None:
    with suppress(OSError, psycopg.Error):
        hang_up(connection)
