"""When a backend serves from an old database, which is somebody else's: what it looks at there."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import URL

from app.database import close_connections
from app.readiness import readiness
from ops.backend.not_ready import databases_in_the_way
from ops.connection import connect, conninfo
from tests.api.backend import cached_settings


async def asked() -> Any:
    try:
        return await readiness()
    finally:
        await close_connections()


def damaged(old: URL, damage: str) -> None:
    with connect(old, application_name="tests", autocommit=True) as session:
        session.execute(damage.format(database=old.database).encode())


@pytest.fixture
def served(old_shape: URL) -> Iterator[URL]:
    """An old database, and the settings of a backend that has it alone."""
    with cached_settings({"DATABASE_URL": conninfo(old_shape), "ACTIVE_PAIR": "old"}):
        yield old_shape


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "ALTER DATABASE {database} SET search_path = later, public",
        "CREATE TABLE \N{CYRILLIC SMALL LETTER TE} (id int); "
        "ALTER DATABASE {database} SET client_encoding = latin1",
    ],
)
def test_it_needs_no_revision_there(served: URL, damage: str) -> None:
    damaged(served, damage)
    assert asyncio.run(asked())["status"] == "ready"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            "DROP TABLE positions CASCADE",
            'no table positions on the search_path of its role ("$user", public)',
        ),
        (
            'ALTER DATABASE {database} SET search_path = app, "the old"',
            'no table portfolios, positions, users on the search_path of its role (app, "the old")',
        ),
    ],
)
def test_what_it_does_not_find_is_named_with_what_to_do(
    served: URL, damage: str, words: str
) -> None:
    damaged(served, damage)
    found = asyncio.run(asked())
    assert found["status"] == "not ready"
    advice = "set LEGACY_SCHEMA to the schema where that is, or correct its address"
    told = databases_in_the_way(found["databases"], old=True)
    assert told == f"its old database: {words}; {advice}"
