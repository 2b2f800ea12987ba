"""Worlds to clean up, on the session's server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.databases import create_database, drop_databases
from tests.integration.cleanup.swapped_world import (
    LEGACY_TABLES,
    World,
    make_files,
    swap_in,
)

MakeWorld = Callable[..., World]


@pytest.fixture(scope="module")
def make_world(
    server: EmbeddedServer,
    core_template: str,
    ai_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeWorld]:
    """Makes worlds; their databases are gone after the module."""
    made: list[URL] = []

    def make(backups: Literal["real", "recorded"] = "recorded") -> World:
        urls = [create_database(server, one) for one in (core_template, ai_template, None)]
        made.extend(urls)
        with connect(urls[-1], application_name="tests") as session:
            session.execute(LEGACY_TABLES)
        world = World(*urls, server.url("postgres"), Path(tmp_path_factory.mktemp("world")))
        make_files(world.root)
        swap_in(world, backups=backups)
        return world

    yield make
    drop_databases(server, made)


@pytest.fixture(scope="module")
def world(make_world: MakeWorld) -> World:
    """One world for the tests of a module that leave it as they find it."""
    return make_world()
