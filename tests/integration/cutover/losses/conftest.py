"""Databases with users' rows, and an old one."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import URL
from users_rows import Pair, empty, empty_legacy, fill, kept_open, session_of

from ops.carrying.baseline import bring_baseline
from ops.copy.report import no_guard
from ops.embedded.server import EmbeddedServer
from tests.databases import create_database


@pytest.fixture(scope="session")
def users_databases(
    server: EmbeddedServer, core_template: str, ai_template: str, old_shape_template: str
) -> Iterator[list[URL]]:
    """Two pairs and an old database, which tests fill anew: that is faster than making them."""
    templates = (core_template, ai_template, core_template, ai_template, old_shape_template)
    urls = [create_database(server, template) for template in templates]
    with kept_open(urls):
        yield urls


@pytest.fixture
def pair(users_databases: list[URL]) -> Pair:
    """Core and AI with users' rows, as a swap has just left them."""
    core, ai = users_databases[:2]
    empty(core, ai)
    fill(core, ai)
    with session_of(core) as one, session_of(ai) as other:
        bring_baseline(one, other, no_guard)
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
