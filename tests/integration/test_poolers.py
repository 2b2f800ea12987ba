"""What lies between us and a server is told by what it does: phases need a session of their own,
the backend does without."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app import database
from app.agent import conversations
from app.agent.context import ChatContext
from app.agent.conversations import create_conversation
from app.chain_folders import SCRIPT_LOCATIONS
from app.migration_recognition import MigrationRefusedError
from ops.connection import connect, conninfo
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.migrate import current
from ops.settings import OperatorSettings
from tests.api.backend import Backend, Statements
from tests.api.own_book import OwnBook
from tests.pooling import pooled, pooling

CLIENTS, POSTS = 8, 120


@pooled
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"default_pool_size": 1},
        {"server_round_robin": 1, "min_pool_size": 2},
        {"server_reset_query_always": 1},
    ],
    ids=str,
)
def test_a_phase_refuses_a_transaction_pooler(
    settings: dict[str, object], scratch_database: URL
) -> None:
    """Whatever its port is, and although nobody else is there."""
    with pooling(scratch_database, "transaction", **settings) as address:
        given = {"DATABASE_URL": scratch_database, "AI_DATABASE_URL": address}
        told = {name: conninfo(url) for name, url in given.items()}
        endpoints = resolve_endpoints(OperatorSettings.model_validate(told))
        connect(endpoints.core, application_name="tests").close()
        with pytest.raises(ConfigurationError, match="set AI_DATABASE_ADMIN_URL to") as refusal:
            connect(endpoints.ai, application_name="tests")
    assert "transaction pooler" in str(refusal.value)
    assert str(address.password) not in str(refusal.value)


def upgrade(url: URL) -> None:
    """As the backend's start command does, at whose address there may be a pooler."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPT_LOCATIONS["ai"]))
    config.attributes["url"] = url
    command.upgrade(config, "head")


@pooled
def test_a_chain_refuses_a_transaction_pooler_and_takes_one_of_sessions(
    scratch_database: URL,
) -> None:
    with (
        pooling(scratch_database, "transaction") as address,
        pytest.raises(MigrationRefusedError, match="set AI_DATABASE_ADMIN_URL"),
    ):
        upgrade(address)
    assert current("ai", scratch_database) is None
    with pooling(scratch_database, "session") as address:
        upgrade(address)
    assert current("ai", scratch_database) is not None


@pooled
def test_a_pooler_that_refuses_options_is_named(scratch_database: URL) -> None:
    with (
        pooling(scratch_database, "session", ignored="extra_float_digits") as address,
        pytest.raises(ConfigurationError, match="ignore_startup_parameters"),
    ):
        connect(address, application_name="tests")


async def post(user_id: UUID, times: int) -> None:
    for _ in range(times):
        async with database.get_core_session() as session:
            await create_conversation(session, user_id, "green", ChatContext())


@contextmanager
def served_from(address: URL, connections: int) -> Iterator[AsyncEngine]:
    """The backend's sessions are of an engine of our own: one of these tests may be in use."""
    engine = database._engine(address, connections)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "core_engine", lambda: engine)
        patch.setattr(conversations, "provider_name", lambda: "rule-based")
        yield engine


@pooled
def test_behind_a_transaction_pooler_no_post_of_the_backend_fails(core_url: URL) -> None:
    """With prepared statements about one of nine does."""
    with connect(core_url, application_name="tests") as session:
        book = OwnBook(session, Backend("", core_url, core_url, Statements()))
        book.insert_user()
        book.portfolio()

    async def post_all(engine: AsyncEngine) -> None:
        await asyncio.gather(*[post(book.user_id, POSTS // CLIENTS) for _ in range(CLIENTS)])
        await engine.dispose()

    with (
        pooling(core_url, "transaction", default_pool_size=4) as address,
        served_from(address, CLIENTS) as engine,
    ):
        asyncio.run(post_all(engine))
    with connect(core_url, application_name="tests") as session:
        row = session.execute("SELECT count(*) FROM agent_conversations").fetchone()
    assert row == (POSTS,)


def prepared_after_reading(address: URL) -> int:
    """How many statements the backend's connection has prepared, once one was read often."""

    async def read(engine: AsyncEngine) -> int:
        for _ in range(8):
            async with database.get_core_session() as session:
                await session.execute(text("SELECT 1"))
        async with database.get_core_session() as session:
            known = text("SELECT count(*) FROM pg_prepared_statements")
            found = int((await session.execute(known)).scalar_one())
        await engine.dispose()
        return found

    with served_from(address, 1) as engine:
        return asyncio.run(read(engine))


def test_the_backend_keeps_what_it_has_prepared(scratch_database: URL) -> None:
    assert prepared_after_reading(scratch_database) == 1


@pooled
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_behind_a_pooler_the_backend_prepares_nothing(mode: str, scratch_database: URL) -> None:
    with pooling(scratch_database, mode) as address:
        assert prepared_after_reading(address) == 0
