"""Worlds to clean up, on the session's server."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.conftest import create_database
from tests.integration.cleanup.swapped_world import (
    LEGACY_TABLES,
    World,
    drop,
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
    made: list[str] = []
    numbers = count(1)

    def make(backups: Literal["real", "recorded"] = "recorded") -> World:
        mark = f"cleanup_{next(numbers)}"
        templates = {"core": core_template, "ai": ai_template, "legacy": None}
        for name, template in templates.items():
            made.append(f"{mark}_{name}")
            create_database(server, made[-1], template)
        with connect(server.url(f"{mark}_legacy"), application_name="tests") as session:
            session.execute(LEGACY_TABLES)
        urls = (server.url(f"{mark}_{name}") for name in templates)
        world = World(*urls, server.url("postgres"), Path(tmp_path_factory.mktemp("world")))
        make_files(world.root)
        swap_in(world, backups=backups)
        return world

    yield make
    for name in made:
        drop(server.url(), name)


@pytest.fixture(scope="module")
def world(make_world: MakeWorld) -> World:
    """One world for the tests of a module that leave it as they find it."""
    return make_world()
