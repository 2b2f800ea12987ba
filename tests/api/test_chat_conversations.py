"""Conversations: begun, listed, switched and deleted by whoever they belong to, by nobody else."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ops.connection import connect
from ops.demo.book import derived_id
from tests.api.backend import Backend
from tests.api.chat_stream import CONVERSATIONS, SEND, conversation
from tests.api.conftest import HEDGE_FUND, INDIVIDUAL
from tests.api.own_book import OwnBook, own_book

FIELDS = {"id", "mode", "created_at", "provider", "provider_thread_id"}


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as book:
        yield book
        book.core.execute("DELETE FROM agent_conversations WHERE user_id = %s", [book.user_id])


def stored(backend: Backend, conversation_id: str) -> Any:
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT mode, metadata, provider, user_id FROM agent_conversations WHERE id = %s",
            [conversation_id],
        ).fetchone()
    return row


def portfolio_of(backend: Backend, email: str) -> str:
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT p.id::text FROM portfolios p JOIN users u ON u.id = p.user_id "
            "WHERE u.email = %s",
            [email],
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_conversation_is_about_the_callers_only_portfolio(
    individual: httpx.Client, backend: Backend
) -> None:
    response = individual.post(CONVERSATIONS, json={"mode": "blue"})
    assert response.status_code == 201
    body = response.json()
    assert set(body) == FIELDS
    told = (body["mode"], body["provider"], body["provider_thread_id"])
    assert told == ("blue", "rule-based", None)
    assert body["created_at"].endswith("Z")
    mine = portfolio_of(backend, INDIVIDUAL)
    expected = ("blue", {"portfolio_id": mine}, "rule-based", derived_id("user", INDIVIDUAL))
    assert stored(backend, body["id"]) == expected


def test_the_context_is_kept_with_the_conversation(
    individual: httpx.Client, backend: Backend
) -> None:
    mine = portfolio_of(backend, INDIVIDUAL)
    shown = {"portfolio_ids": [mine, mine], "page_hint": "risk", "route": "/risk/beta"}
    begun = conversation(individual, **shown)
    assert stored(backend, begun)[1] == {"portfolio_id": None, **shown, "portfolio_ids": [mine]}


def test_of_several_portfolios_none_is_preset_and_all_are_known(
    book: OwnBook, backend: Backend
) -> None:
    mine = [str(book.portfolio(created_at=f"2025-01-0{day}")) for day in (1, 2)]
    book.portfolio(is_active=False)
    with book.client() as client:
        begun = conversation(client)
        assert stored(backend, begun)[1] == {"portfolio_id": None, "portfolio_ids": mine}
        preset = conversation(client, portfolio_id=mine[1])
        assert stored(backend, preset)[1] == {"portfolio_id": mine[1]}


def test_a_caller_without_a_portfolio_is_told_so(book: OwnBook) -> None:
    with book.client() as client:
        response = client.post(CONVERSATIONS, json={})
    assert (response.status_code, response.json()) == (
        404,
        {"detail": "No portfolio found for user"},
    )


@pytest.mark.parametrize("name", ["portfolio_id", "portfolio_ids"])
@pytest.mark.parametrize("whose", ["foreign", "nobody's"])
def test_a_conversation_about_anothers_portfolio_is_refused(
    name: str, whose: str, individual: httpx.Client, backend: Backend
) -> None:
    other = portfolio_of(backend, HEDGE_FUND) if whose == "foreign" else str(uuid4())
    value = [portfolio_of(backend, INDIVIDUAL), other] if name == "portfolio_ids" else other
    response = individual.post(CONVERSATIONS, json={name: value})
    assert response.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "red"},
        {"portfolio_id": "mine"},
        {"portfolio_ids": ["x"]},
        {"portfolio_ids": [str(uuid4())] * 51},
        {"page_hint": "p" * 81},
        {"page_hint": "nul\0"},
        {"route": "r" * 201},
        [],
    ],
)
def test_a_conversation_that_cannot_be_stored_is_refused(
    body: Any, individual: httpx.Client
) -> None:
    assert individual.post(CONVERSATIONS, json=body).status_code == 422


def test_half_a_surrogate_pair_is_refused(individual: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    body = rb'{"page_hint": "\ud800"}'
    assert individual.post(CONVERSATIONS, content=body, headers=headers).status_code == 422


def test_conversations_are_listed_newest_first_in_pages(book: OwnBook) -> None:
    book.portfolio()
    with book.client() as client:
        begun = [conversation(client) for _ in range(12)][::-1]
        ids = [each["id"] for each in client.get(CONVERSATIONS).json()]
        assert ids == begun[:10]
        rest = client.get(CONVERSATIONS, params={"limit": 5, "offset": 9}).json()
        assert [each["id"] for each in rest] == begun[9:]
        assert set(rest[0]) == FIELDS
        one = client.get(f"{CONVERSATIONS}/{begun[3]}").json()
        assert one["id"] == begun[3]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "offset=9999999", "limit=x"]
)
def test_a_page_that_is_none_is_refused(query: str, individual: httpx.Client) -> None:
    assert individual.get(f"{CONVERSATIONS}?{query}").status_code == 422


def test_the_mode_can_be_switched(individual: httpx.Client, backend: Backend) -> None:
    begun = conversation(individual)
    response = individual.put(f"{CONVERSATIONS}/{begun}/mode", json={"mode": "violet"})
    assert response.status_code == 200
    change = response.json()
    assert change.pop("changed_at").endswith("Z")
    assert change == {"id": begun, "previous_mode": "green", "new_mode": "violet"}
    assert stored(backend, begun)[0] == "violet"
    refused = individual.put(f"{CONVERSATIONS}/{begun}/mode", json={"mode": "red"})
    assert refused.status_code == 422


def test_a_deleted_conversation_takes_its_messages_and_their_feedback_along(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, kept = conversation(individual), conversation(individual)
    messages = [uuid4() for _ in range(3)]
    insert = (
        "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at) "
        "VALUES (%s, %s, 'assistant', 'x', '[]', now())"
    )
    with connect(backend.core, application_name="tests") as core:
        for message, where in zip(messages, (begun, begun, kept), strict=True):
            core.execute(insert, [message, where])
    with connect(backend.ai, application_name="tests") as ai:
        for message in messages:
            ai.execute("INSERT INTO ai_feedback (message_id, rating) VALUES (%s, 'up')", [message])
    response = individual.delete(f"{CONVERSATIONS}/{begun}")
    assert (response.status_code, response.content) == (204, b"")
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute("SELECT id FROM agent_messages WHERE id = ANY(%s)", [messages])
        assert rows.fetchall() == [(messages[2],)]
    with connect(backend.ai, application_name="tests") as ai:
        rows = ai.execute(
            "DELETE FROM ai_feedback WHERE message_id = ANY(%s) RETURNING message_id", [messages]
        )
        assert rows.fetchall() == [(messages[2],)]
    assert individual.delete(f"{CONVERSATIONS}/{begun}").status_code == 404


def calls_on(conversation_id: str) -> list[tuple[str, str, Any]]:
    return [
        ("GET", f"{CONVERSATIONS}/{conversation_id}", None),
        ("PUT", f"{CONVERSATIONS}/{conversation_id}/mode", {"mode": "blue"}),
        ("DELETE", f"{CONVERSATIONS}/{conversation_id}", None),
        ("POST", SEND, {"conversation_id": conversation_id, "text": "hello"}),
        ("POST", SEND, {"conversation_id": conversation_id, "text": "/mode blue"}),
    ]


def test_anothers_conversation_is_not_found(
    individual: httpx.Client, hedge_fund: httpx.Client, backend: Backend
) -> None:
    begun = conversation(individual)
    for method, path, body in [*calls_on(begun), *calls_on(str(uuid4()))]:
        response = hedge_fund.request(method, path, json=body)
        answer = (response.status_code, response.json())
        assert answer == (404, {"detail": "Conversation not found"}), (method, path)
    assert stored(backend, begun)[0] == "green"
    with connect(backend.core, application_name="tests") as core:
        count = "SELECT count(*) FROM agent_messages WHERE conversation_id = %s"
        assert core.execute(count, [begun]).fetchone() == (0,)


def test_nobody_is_let_in_without_a_token(anonymous: httpx.Client, backend: Backend) -> None:
    for method, path, body in [*calls_on(str(uuid4())), ("GET", CONVERSATIONS, None)]:
        assert anonymous.request(method, path, json=body).status_code == 401
    with backend.client("gone@example.com", uuid4()) as gone:
        for method, path, body in calls_on(str(uuid4())):
            assert gone.request(method, path, json=body).status_code == 401, (method, path)
