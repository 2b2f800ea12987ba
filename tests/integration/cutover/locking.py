"""Locking a database against writes, and everything there that a lock may change."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.write_lock.lock import lock_writes
from ops.write_lock.proof import Attempt, prove_locked
from ops.write_lock.tables import Choose, lockable_tables, relations

EVERYTHING = Path(__file__).with_name("everything.sql").read_text()
REFUSED = r"refused: this database is locked"


def lock(url: URL) -> None:
    with connect(url, application_name="tests") as connection:
        lock_writes(connection)


def prove(connection: psycopg.Connection, choose: Choose = lockable_tables) -> list[Attempt]:
    return prove_locked(connection, choose(relations(connection)))


def outcomes(attempts: list[Attempt]) -> dict[str, int]:
    return dict(Counter(one.outcome for one in attempts))


def _tell_and_wait(telling: int) -> None:
    os.write(telling, b".")
    time.sleep(600)


@contextmanager
def killed_at_the_end(work: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """A process that does some work, and is killed in the middle of it when the block ends.

    Args:
        work: calls what it is given where it is to be killed.
    """
    reading, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(partial(_tell_and_wait, telling))
        finally:
            os._exit(1)
    os.close(telling)
    try:
        assert os.read(reading, 1), "it did not come so far"
        yield
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
