"""How Core's books are opened."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import URL

from ops.connection import connect, explained


@contextmanager
def open_books(core: URL) -> Iterator[psycopg.Connection]:
    """A transaction on Core's bookkeeping, committed at the end of the block."""
    with explained(core), connect(core, application_name="bookkeeping") as session:
        yield session
