"""Databases with users' rows, and an old one."""

import pytest
from sqlalchemy.engine import URL
from users_rows import Pair, empty, empty_legacy, fill

from ops.carrying.baseline import record_baseline
from ops.embedded.server import EmbeddedServer
from tests.conftest import create_database
from tests.integration.legacy_shape import make_legacy

_PAIRS = ("users_core", "users_ai", "users_other_core", "users_other_ai", "users_legacy")


@pytest.fixture(scope="session")
def users_databases(server: EmbeddedServer, core_template: str, ai_template: str) -> list[URL]:
    """Two pairs and an old database, which tests fill anew: that is faster than making them."""
    for name in _PAIRS:
        template = {"core": core_template, "ai": ai_template}.get(name.rpartition("_")[2])
        create_database(server, name, template)
    urls = [server.url(name) for name in _PAIRS]
    make_legacy(urls[-1])
    return urls


@pytest.fixture
def pair(users_databases: list[URL]) -> Pair:
    """Core and AI with users' rows, as a swap has just left them."""
    core, ai = users_databases[:2]
    empty(core, ai)
    fill(core, ai)
    record_baseline(core, ai)
    return Pair(core, ai)


@pytest.fixture
def other(users_databases: list[URL]) -> Pair:
    """Another pair with the rows that the swap left."""
    core, ai = users_databases[2:4]
    empty(core, ai)
    fill(core, ai)
    return Pair(core, ai)


@pytest.fixture
def legacy(users_databases: list[URL]) -> URL:
    """The old database with the rows that the swap left."""
    url = users_databases[4]
    empty_legacy(url)
    fill(url, url)
    return url
