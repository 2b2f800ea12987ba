"""The backend itself gives way while it answers a chat."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair
from ops.books.marker import keep_books
from ops.connection import connect, conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.state_folder import StateFolder
from tests.api.backend import SECRET_KEY, authorization
from tests.api.chat_stream import asking, conversation
from tests.api.llm_server import LlmServer, Reply, chunk, end, llm_server
from tests.databases import NewDatabase
from tests.integration.serving.users import PAIR
from tests.served_pair import have_serve

USER = "demo_individual@sigmasight.com"


@pytest.fixture
def databases(new_database: NewDatabase, legacy_template: str) -> dict[Pair, URL]:
    """Two databases with the same users, each of which is a pair by itself."""
    found: dict[Pair, URL] = {
        "old": new_database(legacy_template),
        "new": new_database(legacy_template),
    }
    keep_books(found["new"], "shared")
    return found


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as server:
        yield server


@pytest.fixture
def backend(
    databases: dict[Pair, URL], llm: LlmServer, tmp_path: Path
) -> Iterator[SupervisedBackend]:
    """It serves the old pair."""
    have_serve(databases["new"], "old")
    backend = SupervisedBackend(StateFolder(tmp_path))
    told = {"PATH": os.environ["PATH"], "SECRET_KEY": SECRET_KEY, "ACTIVE_PAIR": "gate"}
    told |= {"LLM_BASE_URL": llm.url, "LLM_API_KEY": "none", "LLM_MODEL": "first-model"}
    told |= {"DATABASE_URL": conninfo(databases["new"])}
    told |= {"LEGACY_DATABASE_URL": conninfo(databases["old"])}
    backend.start(told)
    backend.wait()
    yield backend
    backend.stop()


@pytest.fixture
def switch(backend: SupervisedBackend, databases: dict[Pair, URL]) -> GateSwitch:
    return GateSwitch(databases["new"], databases["old"], "old", backend.address)


@pytest.fixture
def client(backend: SupervisedBackend) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=backend.url or "", headers=authorization(USER), timeout=30, verify=False
    ) as client:
        yield client


def answers(database: URL, conversation_id: str) -> list[tuple[object, ...]]:
    with connect(database, application_name="tests") as connection:
        return connection.execute(
            "SELECT content, error ->> 'error_type' FROM agent_messages"
            " WHERE conversation_id = %s AND role = 'assistant'",
            [conversation_id],
        ).fetchall()


@pytest.mark.soak
def test_a_stream_gets_its_seconds_then_says_that_it_can_be_tried_again(
    backend: SupervisedBackend,
    switch: GateSwitch,
    client: httpx.Client,
    databases: dict[Pair, URL],
    llm: LlmServer,
) -> None:
    llm.replies = [Reply([chunk({"content": "Not yet"}), 60.0])]
    begun = conversation(client)
    with asking(client, "How do I stand?", begun) as events:
        assert "token" in (event.name for event in events)
        started = time.monotonic()
        with switch.ending_streams(1.0), switch.hold(60.0) as held:
            assert 1.0 <= time.monotonic() - started < 30.0
            # Nothing of it is left to be written: the old database may be locked now.
            assert answers(databases["old"], begun) == [("Not yet", "CANCELLED")]
            with connect(databases["old"], application_name="tests", autocommit=True) as old:
                _refuse_writes(old)
            held.flip("new")
            held.release()
        last = [event for event in events if event.name != "heartbeat"][-1]
    assert last.name == "error"
    assert last.data["retryable"] is True
    # The same connection, and the token of before, go on with the new pair.
    me = client.get("/api/v1/auth/me")
    assert (me.status_code, me.headers[PAIR]) == (200, "new")
    assert "ReadOnlySqlTransaction" not in backend.log.read_text()


@pytest.mark.soak
def test_a_stream_that_ends_in_time_is_whole(
    switch: GateSwitch, client: httpx.Client, databases: dict[Pair, URL], llm: LlmServer
) -> None:
    llm.memories = '["Wants to retire in 2040"]'
    llm.replies = [
        Reply([chunk({"content": "You stand "}), 1.0, chunk({"content": "well."}), *end()])
    ]
    begun = conversation(client)
    with asking(client, "How do I stand?", begun) as events:
        assert "token" in (event.name for event in events)
        with switch.ending_streams(20.0), switch.hold(60.0) as held:
            assert answers(databases["old"], begun) == [("You stand well.", None)]
            held.flip("new")
            assert held.release() < 10
        assert [event.name for event in events][-1] == "done"
    assert client.get("/api/v1/auth/me").headers[PAIR] == "new"


@pytest.mark.soak
def test_its_own_faults_are_answered_in_the_name_of_its_pair(
    client: httpx.Client, databases: dict[Pair, URL]
) -> None:
    with connect(databases["old"], application_name="tests", autocommit=True) as old:
        old.execute("ALTER TABLE agent_conversations RENAME TO elsewhere")
    for path in ("/api/v1/chat/conversations", "/nowhere"):
        found = client.get(path)
        assert (found.status_code >= 400, found.headers[PAIR]) == (True, "old")


def _refuse_writes(connection: psycopg.Connection) -> None:
    name = connection.info.dbname
    connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
