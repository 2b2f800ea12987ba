"""Real servers for the tests: one embedded PostgreSQL a session, one database a test."""

import atexit
import gc
import os
import secrets
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy.engine import URL

import infra  # noqa: F401  # tells gRPC something, before a test's module imports that
from ops.books.marker import Role, ensure_bookkeeping
from ops.connection import connect
from ops.demo.legacy import create_legacy
from ops.demo.prices import generate_prices
from ops.embedded.account import server_account
from ops.embedded.server import LOOPBACK, EmbeddedServer, free_port
from ops.settings import OperatorSettings
from tests.databases import NewDatabase, create_database, drop_databases
from tests.groups import pytest_collection_modifyitems
from tests.left_to_soak import (
    pytest_deselected,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tests.prefect_session import pytest_configure, pytest_unconfigure

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_deselected",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
]

# What is imported and collected stays: to look for garbage in it takes a quarter of the time.
gc.disable()
atexit.register(gc.freeze)

# How many examples a property gets that does not say it itself; choose by --hypothesis-profile.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("soak", deadline=None, max_examples=300)
settings.load_profile("quick")

# Nothing here speaks TLS, and each HTTP client would load the certificates of the world, which
# takes 40 ms. The variables are for commands and for Prefect; clients of ours do not read them.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull
ssl.create_default_context = lru_cache(ssl.create_default_context)

# Nothing of a test must survive a crash, so the tests do not wait for the disk. Nobody analyses
# behind a test's back either: a test that depends on statistics says ANALYZE itself.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "scram_iterations": "1",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
}
_ROOM_BYTES = 4 * 2**30

_AT_THE_START = frozenset(os.environ)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _usual_port_taken() -> Iterator[None]:
    """Prefect servers that start at the same moment would both take the usual port."""
    with socket.socket() as listener:
        with suppress(OSError):
            listener.bind((LOOPBACK, 4200))
            listener.listen()
        yield


@pytest.fixture(autouse=True)
def _no_setting_from_another_test() -> None:
    """A setting that a fixture leaves in the environment leads other tests to its databases."""
    left = set(OperatorSettings.model_fields) & set(os.environ) - _AT_THE_START
    assert not left, f"left in the environment by another test's fixture: {sorted(left)}"


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL 18 server of this test session; `server.url(name)` is the superuser's URL."""
    with running_server() as instance:
        yield instance


@pytest.fixture(scope="session")
def old_server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL 16 server of this test session."""
    with running_server(major_version=16) as instance:
        yield instance


@contextmanager
def running_server(
    major_version: int = 18, settings: Mapping[str, str] = _FAST
) -> Iterator[EmbeddedServer]:
    """A server in a folder of its own, gone at the end.

    Not below pytest's folders: each session of pytest closes these to other accounts again, and
    as root the server runs as one.
    """
    with tempfile.TemporaryDirectory(prefix="sigmasight-tests-", dir=_memory()) as folder:
        Path(folder).chmod(0o711)
        place, account = Path(folder) / "server", server_account()
        instance = EmbeddedServer(
            place, account, secrets.token_urlsafe(16), settings, major_version
        )
        instance.create()
        instance.start(free_port())
        try:
            yield instance
        finally:
            instance.stop()


def _memory() -> str | None:
    """A file system in memory with room for a server: there a database of 600 files is made in a
    tenth of the time. None where the machine has no such."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > _ROOM_BYTES
    return str(shared) if roomy else None


@pytest.fixture
def new_database(server: EmbeddedServer) -> Iterator[NewDatabase]:
    """Make databases, empty or cloned from a template; all are dropped after the test."""
    made: list[URL] = []

    def make(template: str | None = None) -> URL:
        made.append(create_database(server, template))
        return made[-1]

    yield make
    drop_databases(server, made)


@pytest.fixture
def scratch_database(new_database: NewDatabase) -> URL:
    """A fresh, empty database."""
    return new_database()


@pytest.fixture(scope="session")
def core_template(server: EmbeddedServer) -> str:
    """The name of a database on which the Core chain has run; clone it, never write to it."""
    return _migrated_template(server, "core")


@pytest.fixture(scope="session")
def ai_template(server: EmbeddedServer) -> str:
    """The name of a database on which the AI chain has run; clone it, never write to it."""
    return _migrated_template(server, "ai")


@pytest.fixture(scope="session")
def shared_template(server: EmbeddedServer) -> str:
    """The name of a database on which both chains have run; clone it, never write to it."""
    return _migrated_template(server, "shared")


def _migrated_template(server: EmbeddedServer, role: Role) -> str:
    from ops.migrate import upgrade

    shared, url = role == "shared", create_database(server)
    with connect(url, application_name="tests", autocommit=True) as connection:
        ensure_bookkeeping(connection, role)
    for chain in ("core", "ai"):
        if shared or chain == role:
            upgrade(chain, url, shared=shared)
    return str(url.database)


@pytest.fixture
def core_url(new_database: NewDatabase, core_template: str) -> URL:
    """A Core database as the chain leaves it, with schema ops."""
    return new_database(core_template)


@pytest.fixture
def ai_url(new_database: NewDatabase, ai_template: str) -> URL:
    """An AI database as the chain leaves it, with schema ops."""
    return new_database(ai_template)


@pytest.fixture
def shared_url(new_database: NewDatabase, shared_template: str) -> URL:
    """One database that is Core and AI as the chains leave it, with schema ops."""
    return new_database(shared_template)


@pytest.fixture(scope="session")
def legacy_template(server: EmbeddedServer) -> str:
    """The name of a demo legacy database with generated prices; only to be read."""
    url = create_database(server)
    with connect(url, application_name="tests") as connection:
        connection.execute("CREATE EXTENSION vector")
    create_legacy(url, generate_prices(), demo_password="demo")
    return str(url.database)
