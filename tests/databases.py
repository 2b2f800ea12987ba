"""Databases that tests make on servers of theirs.

Not in `conftest`, which pytest and importers load once each: their numbers would meet.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer

NewDatabase = Callable[..., URL]

_NUMBERS = count(1)


def create_database(
    server: EmbeddedServer,
    template: str | None = None,
    *,
    name: str | None = None,
    encoding: str = "UTF8",
) -> URL:
    """Make a database, by a name that no other test of this process has unless one is given.

    In memory, files are copied in half the time that logging them takes.
    """
    name = name or f"test_{next(_NUMBERS)}"
    with connect(server.url(), application_name="tests", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY ENCODING {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0"), encoding
            )
        )
    return server.url(name)


def drop_databases(server: EmbeddedServer, urls: Iterable[URL]) -> None:
    """Drop databases that may be gone already, whoever is in them."""
    with connect(server.url(), application_name="tests", autocommit=True) as connection:
        for url in urls:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                    sql.Identifier(str(url.database))
                )
            )


@contextmanager
def unreachable(server: EmbeddedServer, url: URL) -> Iterator[None]:
    """A database that nobody reaches, as if it were lost."""
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        name = sql.Identifier(str(url.database))
        session.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [url.database],
        )
        try:
            yield
        finally:
            session.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
