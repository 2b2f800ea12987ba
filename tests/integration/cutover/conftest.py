"""Legacy databases to lock and to watch, and who uses them."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.conftest import running_server
from tests.databases import NewDatabase, create_database, drop_databases
from tests.integration.cutover.small_system import SmallSystem, fill_book, small_system
from tests.integration.cutover.watched_legacy import BOOKS

Ask = Callable[..., list[tuple[Any, ...]]]
As = Callable[[URL, str], URL]
MakeSystem = Callable[[], SmallSystem]

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
    settings["max_prepared_transactions"] = "1"
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


@pytest.fixture(scope="module")
def lockable_template(server: EmbeddedServer, as_role: As, ask: Ask) -> Iterator[str]:
    """The name of a database of many shapes; clone it for `owned`, never write to it."""
    url = create_database(server)
    owner = owned(url, as_role, ask)
    ask(url, "ALTER SCHEMA public OWNER TO lock_owner")
    ask(owner, _SHAPE.read_text())
    yield str(url.database)
    drop_databases(server, [url])


@pytest.fixture
def lockable(new_database: NewDatabase, lockable_template: str, as_role: As, ask: Ask) -> URL:
    """A database of many shapes, with its owner's address."""
    return owned(new_database(lockable_template), as_role, ask)


def owned(url: URL, as_role: As, ask: Ask) -> URL:
    """Give a database to the owner's role; returns that role's address."""
    ask(url, f"ALTER DATABASE {url.database} OWNER TO lock_owner")
    return as_role(url, "lock_owner")


@pytest.fixture(scope="session")
def books_template(server: EmbeddedServer) -> str:
    """The name of an old database with two tables, owned by the superuser; only to be cloned."""
    url = create_database(server)
    with connect(url, application_name="tests") as connection:
        connection.execute(BOOKS.encode())
    return str(url.database)


@pytest.fixture(scope="module")
def databases(
    server: EmbeddedServer, core_template: str, ai_template: str, old_shape_template: str
) -> Iterator[dict[str, URL]]:
    """The addresses of `core`, `ai` and `legacy`, gone after the module."""
    templates = {"core": core_template, "ai": ai_template, "legacy": old_shape_template}
    found = {half: create_database(server, template) for half, template in templates.items()}
    yield found
    drop_databases(server, found.values())


@pytest.fixture(scope="session")
def small_book(server: EmbeddedServer, core_template: str, ai_template: str) -> dict[str, str]:
    """The names of databases that hold a small book, copied and backfilled; clone them."""
    templates = {"core": core_template, "ai": ai_template, "legacy": None}
    urls = {half: create_database(server, template) for half, template in templates.items()}
    fill_book(*urls.values())
    return {half: str(url.database) for half, url in urls.items()}


@pytest.fixture(scope="module")
def make_system(
    server: EmbeddedServer,
    small_book: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    drift_remembered: None,
) -> Iterator[MakeSystem]:
    """Makes installations that serve the small book; they are gone after the module."""
    made = list[URL]()

    def make() -> SmallSystem:
        urls = [create_database(server, template) for template in small_book.values()]
        made.extend(urls)
        folder = tmp_path_factory.mktemp("small") / "home"
        system = stack.enter_context(small_system(*urls, folder))
        system.copied_before()
        return system

    with ExitStack() as stack:
        yield make
    drop_databases(server, made)


@pytest.fixture(scope="module")
def drift_remembered() -> Iterator[None]:
    """Half a second of a swap is the look at every column; it is taken again where one changed."""
    from ops.cutover import preflight

    shape = (
        "SELECT string_agg(concat(attrelid, attname, atttypid), ',' ORDER BY attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid >= 16384"
    )
    look = lru_cache(lambda core, ai, _shapes: _look(core, ai))
    _look = preflight.drift_of_pair

    def remembered(core: URL, ai: URL) -> object:
        shapes = []
        for url in (core, ai):
            with connect(url, application_name="tests") as session:
                shapes += session.execute(shape).fetchall()
        return look(core, ai, tuple(shapes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preflight, "drift_of_pair", remembered)
        yield
