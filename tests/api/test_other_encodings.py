"""A backend on an old database whose encoding holds less than what users write."""

from collections.abc import Iterator
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.api.backend import authorization, serving
from tests.integration.legacy_shape import make_legacy

EMAIL, PASSWORD = "jose@example.com", "long enough"
SNOW = "snow \N{SNOWMAN}"


@pytest.fixture(scope="module")
def latin1(server: EmbeddedServer) -> URL:
    made = server.url("in_latin1")
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
                "TEMPLATE template0"
            ).format(sql.Identifier(str(made.database)))
        )
    make_legacy(made)
    return made


@pytest.fixture(scope="module")
def user(latin1: URL) -> Iterator[httpx.Client]:
    """One whose name it can hold."""
    with (
        serving(latin1, None, {"ACTIVE_PAIR": "old"}) as backend,
        httpx.Client(base_url=f"{backend.url}/api/v1", timeout=60) as client,
    ):
        body = {"email": EMAIL, "password": PASSWORD, "full_name": "Jos\xe9"}
        registered = client.post("/auth/register", json=body)
        assert registered.json()["full_name"] == body["full_name"]
        client.headers.update(authorization(EMAIL, registered.json()["id"]))
        yield client


@pytest.fixture(scope="module")
def chat(user: httpx.Client) -> tuple[str, str]:
    """A conversation and the id of its answer."""
    chat = user.post("/chat/conversations", json={}).json()["id"]
    asked = {"conversation_id": chat, "text": "caf\xe9?", "message_id": str(uuid4())}
    assert "event: done" in user.post("/chat/send", json=asked).text
    return chat, str(uuid5(UUID(asked["message_id"]), "answer"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/register", {"email": "a@example.com", "password": PASSWORD, "full_name": SNOW}),
        ("/auth/login", {"email": "\N{SNOWMAN}@example.com", "password": PASSWORD}),
        ("/chat/send", {"conversation_id": "CHAT", "text": SNOW}),
        ("/chat/memories", {"content": SNOW}),
        ("/chat/memories", {"content": "mine", "tags": {"weather": SNOW}}),
        ("/chat/messages/ANSWER/feedback", {"rating": "down", "comment": SNOW}),
    ],
)
def test_a_text_that_it_cannot_hold_is_refused(
    user: httpx.Client, chat: tuple[str, str], path: str, body: dict[str, object]
) -> None:
    if "conversation_id" in body:
        body = {**body, "conversation_id": chat[0]}
    answer = user.post(path.replace("ANSWER", chat[1]), json=body)
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["detail"]
    assert set(problem) == {"type", "loc", "msg"}
    assert "characters that the encoding of the database lacks" in problem["msg"]
