"""When a swap's old database ceased to be followed."""

from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ops.books.session import open_books
from ops.connection import first_value

# Why a window begins anew with a follow that wrote.
FOLLOWED = "a follow wrote there what users had written"


def follow_ended(session: psycopg.Connection[Any]) -> datetime | None:
    """When that was after the last swap; None while its old database may be followed."""
    ended: datetime | None = first_value(
        session,
        "SELECT ended_at FROM ops.follow_ends WHERE cutover ="
        " (SELECT max(id) FROM ops.cutovers WHERE kind = 'swap' AND state = 'done')",
    )
    return ended


def end_follow(core: URL, swap: int) -> None:
    """Record that the old database of this swap is followed no longer."""
    with open_books(core) as session:
        session.execute("INSERT INTO ops.follow_ends (cutover) VALUES (%s)", [swap])
