"""The same backend on an old single database, and on one database that holds both halves."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.engine import URL

from ops.books.marker import ensure_bookkeeping
from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from ops.migrate import upgrade
from ops.seed import seed
from tests.api.backend import Backend, authorization, serving
from tests.api.conftest import DEMO_PASSWORD, HNW
from tests.api.test_access import PARAMETER, operations
from tests.databases import create_database
from tests.groups import soaked


@pytest.fixture(scope="module")
def legacy(server: EmbeddedServer, legacy_template: str) -> URL:
    return create_database(server, legacy_template)


@pytest.fixture(scope="module")
def shared(server: EmbeddedServer) -> URL:
    found = create_database(server)
    with connect(found, application_name="tests") as connection:
        ensure_bookkeeping(connection, "shared")
    upgrade("core", found, shared=True)
    upgrade("ai", found, shared=True)
    seed(found, demo_password=DEMO_PASSWORD)
    return found


@pytest.fixture(scope="module", params=["legacy", *soaked("shared")])
def lonely(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """A backend with one database and no AI_DATABASE_URL."""
    with serving(request.getfixturevalue(request.param), None, {}) as backend:
        yield backend


def test_it_serves_logins_and_every_reader(lonely: Backend) -> None:
    """Where nothing was computed, analytics say so; nothing fails."""
    with httpx.Client(base_url=lonely.url, timeout=30) as client:
        assert client.get("/ready").json()["status"] == "ready"
        answer = client.post("/api/v1/auth/login", json={"email": HNW, "password": DEMO_PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers.update(authorization(HNW))
        portfolio = client.get("/api/v1/data/portfolios").json()[0]
        complete = client.get(f"/api/v1/data/portfolio/{portfolio['id']}/complete").json()
        assert len(complete["holdings"]) == portfolio["position_count"] > 0
        assert failing_readers(client, portfolio["id"]) == {}


def failing_readers(client: httpx.Client, portfolio_id: str) -> dict[str, int]:
    document = client.get("/openapi.json").json()
    found: dict[str, int] = {}
    for one in operations(document):
        if one.method == "GET" and set(one.in_path) <= {"portfolio_id"}:
            status = client.get(PARAMETER.sub(portfolio_id, one.path)).status_code
            if status >= 500:
                found[one.path] = status
    return found


def test_a_chat_on_one_database_keeps_both_halves(lonely: Backend) -> None:
    with httpx.Client(base_url=lonely.url, headers=authorization(HNW), timeout=60) as client:
        chat = client.post("/api/v1/chat/conversations", json={}).json()["id"]
        asked = {"conversation_id": chat, "text": "What are my top holdings?"}
        asked["message_id"] = str(uuid4())
        answers = [client.post("/api/v1/chat/send", json=asked) for _ in range(2)]
        for answer in answers:
            assert "event: done" in answer.text
            assert "event: error" not in answer.text
        assert ["event: tool_call" in answer.text for answer in answers] == [True, False]
        assert client.delete(f"/api/v1/chat/conversations/{chat}").status_code == 204
