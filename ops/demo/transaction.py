"""One transaction for SQLAlchemy statements, over a connection with the phases' settings."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy
from sqlalchemy import create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ops.connection import connect, explained


@contextmanager
def transaction(url: URL, *, application_name: str) -> Iterator[sqlalchemy.Connection]:
    """Open a connection and commit at the end, or leave nothing behind.

    Raises:
        DatabaseUnavailableError: nothing answers, or the connection was lost.
        ConfigurationError: the login is refused, or the role may not do this.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, application_name=application_name),
        poolclass=NullPool,
    )
    with explained(url):
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.Error):
                raise error.orig from None
            raise


def driver_connection(connection: sqlalchemy.Connection) -> psycopg.Connection:
    """The psycopg connection below, inside the same transaction; for COPY."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError("the connection is not one of psycopg")
    return raw
