"""Legacy databases to lock and to watch, and who uses them."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.conftest import NewDatabase, running_server

Ask = Callable[..., list[tuple[Any, ...]]]
As = Callable[[URL, str], URL]

ROLES = ("lock_owner", "lock_app", "lock_second")
_SHAPE = Path(__file__).with_name("locked_shape.sql")


@pytest.fixture(scope="module")
def lock_roles(server: EmbeddedServer) -> Iterator[dict[str, str]]:
    """Login roles without special rights, by name their password; gone after the module."""
    passwords = {role: secrets.token_urlsafe(12) for role in ROLES}
    with connect(server.url(), application_name="tests", autocommit=True) as connection:
        for role, password in passwords.items():
            command = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(command.format(sql.Identifier(role), sql.Literal(password)))
    yield passwords
    with connect(server.url(), application_name="tests", autocommit=True) as connection:
        for role in ROLES:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


@pytest.fixture(scope="session")
def own_server() -> Iterator[EmbeddedServer]:
    """A server that a test may kill and start again, with an autovacuum that comes every second."""
    settings = {"autovacuum_naptime": "1s", "fsync": "off", "autovacuum_vacuum_cost_delay": "0"}
    with running_server(settings=settings) as instance:
        yield instance


@pytest.fixture(scope="module")
def as_role(lock_roles: dict[str, str]) -> As:
    """The address of a database for another role."""

    def address(url: URL, role: str) -> URL:
        return url.set(username=role, password=lock_roles[role])

    return address


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Run statements in one session; the rows of the last one, if it gives any."""

    def execute(url: URL, statements: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with connect(url, application_name="", autocommit=True) as connection:
            cursor = connection.execute(statements.encode(), parameters or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def lockable(new_database: NewDatabase, as_role: As, ask: Ask) -> URL:
    """A database of many shapes, with its owner's address."""
    return fill_lockable(new_database(), as_role, ask)


def fill_lockable(url: URL, as_role: As, ask: Ask) -> URL:
    """Give a database to the owner's role and fill it; returns that role's address."""
    ask(url, f"ALTER DATABASE {url.database} OWNER TO lock_owner")
    ask(url, "ALTER SCHEMA public OWNER TO lock_owner")
    owner = as_role(url, "lock_owner")
    ask(owner, _SHAPE.read_text())
    return owner
