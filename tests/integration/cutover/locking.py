"""Locking a database against writes, and everything there that a lock may change."""

from collections import Counter
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
