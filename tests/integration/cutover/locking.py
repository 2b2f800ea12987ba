"""Locking a database against writes, and everything there that a lock may change."""

from pathlib import Path

from sqlalchemy.engine import URL

from ops.connection import connect
from ops.write_lock.lock import lock_writes

EVERYTHING = Path(__file__).with_name("everything.sql").read_text()
REFUSED = r"refused: this database is locked"


def lock(url: URL) -> None:
    with connect(url, application_name="tests") as connection:
        lock_writes(connection)
