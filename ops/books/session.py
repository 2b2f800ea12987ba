"""How Core's books are opened."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from sqlalchemy.engine import URL

from ops.connection import connect, explained


@contextmanager
def open_books(core: URL, opened: psycopg.Connection | None = None) -> Iterator[psycopg.Connection]:
    """A transaction on Core's bookkeeping, committed at the end of the block; in a session that is
    `opened`, or in one of its own."""
    with explained(core), ExitStack() as stack:
        session = opened or stack.enter_context(connect(core, application_name="bookkeeping"))
        with session.transaction():
            yield session
