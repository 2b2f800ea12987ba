"""What the agent remembers of a user: routes, bounds, ownership, and what reaches the prompt."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.agent.services import memory_service
from tests.api.backend import Backend
from tests.api.talks import Talker, talking

T = TypeVar("T")
PREFIXES = ["/api/v1/chat/memories", "/api/v1/agent/memories"]
CHAT = PREFIXES[0]


@pytest.fixture
def talker(backend: Backend) -> Iterator[Talker]:
    with talking(backend) as talker:
        yield talker


@pytest.fixture
def client(talker: Talker) -> Iterator[httpx.Client]:
    with talker.client() as client:
        yield client


def in_session(talker: Talker, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = create_async_engine(talker.backend.ai, poolclass=NullPool)
        async with AsyncSession(engine) as ai:
            return await work(ai)

    return asyncio.run(run())


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_memory_comes_and_goes(client: httpx.Client, prefix: str) -> None:
    added = client.post(prefix, json={"content": " likes bonds ", "tags": {"category": "taste"}})
    assert added.status_code == 201
    memory = added.json()
    assert memory.keys() == {"id", "scope", "content", "tags", "created_at"}
    assert (memory["scope"], memory["content"]) == ("user", "likes bonds")
    assert memory["tags"] == {"category": "taste"}
    assert memory["created_at"].endswith("Z")
    listed = client.get(prefix).json()
    assert listed == {"memories": [memory], "total": 1, "limit": 50}
    assert client.get(f"{prefix}/count").json() == {"count": 1, "max_allowed": 50}
    gone = client.delete(f"{prefix}/{memory['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.delete(f"{prefix}/{memory['id']}").status_code == 404
    client.post(prefix, json={"content": "one"})
    client.post(prefix, json={"content": "two"})
    assert client.delete(prefix).json() == {"deleted": 2}
    assert client.delete(prefix).json() == {"deleted": 0}


def test_the_list_is_newest_first_and_can_be_filtered(client: httpx.Client, talker: Talker) -> None:
    own = {"scope": "portfolio", "portfolio_id": str(talker.portfolio)}
    for body in ({"content": "a"}, {"content": "b", **own}, {"content": "c", "scope": "global"}):
        assert client.post(CHAT, json=body).status_code == 201

    def contents(**query: Any) -> list[str]:
        answer = client.get(CHAT, params=query).json()
        assert answer["total"] == 3
        return [memory["content"] for memory in answer["memories"]]

    assert contents() == ["c", "b", "a"]
    assert contents(limit=2) == ["c", "b"]
    assert contents(scope="user") == ["a"]
    assert contents(scope="portfolio") == ["b"]
    assert contents(portfolio_id=str(talker.portfolio)) == ["b"]
    [memory] = client.get(CHAT, params={"scope": "portfolio"}).json()["memories"]
    assert memory["tags"] == {"portfolio_id": str(talker.portfolio)}


def test_content_is_cut_at_500_characters(client: httpx.Client) -> None:
    assert client.post(CHAT, json={"content": "é" * 600}).json()["content"] == "é" * 500


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({}, 422),
    ({"content": ""}, 422),
    ({"content": " \n "}, 422),
    ({"content": "x" * 10_001}, 422),
    ({"content": "a\0b"}, 422),
    ({"content": "a", "scope": "everything"}, 422),
    ({"content": "a", "scope": "portfolio"}, 400),
    ({"content": "a", "portfolio_id": "none"}, 422),
    ({"content": "a", "scope": "portfolio", "portfolio_id": str(uuid4())}, 404),
    ({"content": "a", "portfolio_id": str(uuid4())}, 404),
    ({"content": "a", "tags": []}, 422),
    ({"content": "a", "tags": {"a": "\0"}}, 422),
    ({"content": "a", "tags": {"a": 10**30}}, 422),
    ({"content": "a", "tags": {"a": "x" * 4_000}}, 422),
    ({"content": "a", "tags": {"portfolio_id": str(uuid4())}}, 422),
    ({"content": "a", "tags": {"feedback_id": str(uuid4())}}, 422),
]


def test_what_cannot_be_remembered_is_refused(client: httpx.Client) -> None:
    answers = [(body, client.post(CHAT, json=body).status_code) for body, _ in REFUSED]
    assert answers == REFUSED
    for raw in (
        b'{"content": "a", "tags": {"a": "\\ud800"}}',
        b'{"content": "\\ud800"}',
        b"[",
        b"1",
    ):
        sent = client.post(CHAT, content=raw, headers={"Content-Type": "application/json"})
        assert sent.status_code == 422, raw
    assert client.get(f"{CHAT}/count").json()["count"] == 0


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "scope=x", "portfolio_id=x", "scope=%00"]
)
def test_odd_queries_are_refused(individual: httpx.Client, query: str) -> None:
    assert individual.get(f"{CHAT}?{query}").status_code == 422


def test_another_users_memory_and_portfolio_do_not_exist(
    client: httpx.Client, backend: Backend
) -> None:
    with talking(backend) as other, other.client() as others:
        memory = others.post(CHAT, json={"content": "theirs"}).json()
        assert client.delete(f"{CHAT}/{memory['id']}").status_code == 404
        assert client.get(CHAT).json()["memories"] == []
        assert client.get(CHAT, params={"portfolio_id": str(other.portfolio)}).status_code == 404
        theirs = {"content": "a", "scope": "portfolio", "portfolio_id": str(other.portfolio)}
        assert client.post(CHAT, json=theirs).status_code == 404
        client.delete(CHAT)
        assert others.get(f"{CHAT}/count").json()["count"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/count"), ("DELETE", f"/{UUID(int=404)}")],
)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_nobody_has_no_memories(
    anonymous: httpx.Client, prefix: str, method: str, path: str
) -> None:
    assert anonymous.request(method, prefix + path).status_code == 401


def test_the_oldest_of_fifty_makes_room(client: httpx.Client, talker: Talker) -> None:
    talker.ai(
        "INSERT INTO ai_memories (user_id, scope, content, created_at)"
        " SELECT %s, 'user', 'memory ' || n, now() - interval '1 hour' + n * interval '1 s'"
        " FROM generate_series(0, 48) AS n",
        [talker.id],
    )
    for number in range(49, 52):
        client.post(CHAT, json={"content": f"memory {number}"})
    kept = [content for content, _ in talker.memories()]
    assert kept == [f"memory {number}" for number in range(2, 52)]


@pytest.mark.soak
def test_there_are_never_more_than_fifty_however_many_come_at_once(talker: Talker) -> None:
    with talker.client() as client, ThreadPoolExecutor(8) as pool:
        sent = [{"content": f"memory {number}"} for number in range(80)]
        answers = list(pool.map(lambda body: client.post(CHAT, json=body), sent))
        assert {answer.status_code for answer in answers} == {201}
        assert client.get(f"{CHAT}/count").json()["count"] == 50


# What is learned rather than told.


def remember(
    talker: Talker, content: str, scope: Any = "user", tags: dict[str, Any] | None = None
) -> bool:
    found = in_session(
        talker, lambda ai: memory_service.remember(ai, talker.id, scope, content, tags or {})
    )
    return found is not None


def test_what_is_known_is_not_learned_again(talker: Talker) -> None:
    here = {"portfolio_id": str(talker.portfolio)}
    assert remember(talker, "Prefers short answers")
    assert not remember(talker, "prefers SHORT answers")
    assert not remember(talker, "short answers")
    assert not remember(talker, "Prefers short answers, always")
    assert not remember(talker, "  ")
    assert not remember(talker, "short answers", "portfolio", here)
    assert remember(talker, "Hedged with puts", "portfolio", here)
    assert not remember(talker, "hedged with puts", "portfolio", here)
    assert remember(talker, "hedged with puts", "portfolio", {"portfolio_id": str(uuid4())})
    assert remember(talker, "hedged with puts")
    assert len(talker.memories()) == 4


def test_the_same_thing_learned_many_times_at_once_is_one_memory(talker: Talker) -> None:
    with ThreadPoolExecutor(6) as pool:
        learned = list(pool.map(lambda _: remember(talker, "Likes tables"), range(12)))
    assert learned.count(True) == 1
    assert len(talker.memories()) == 1


def prompt(talker: Talker, portfolio_id: UUID | None) -> list[str]:
    text = in_session(
        talker, lambda ai: memory_service.memories_for_prompt(ai, talker.id, portfolio_id)
    )
    assert len(text) <= 1_000
    return text.split("\n") if text else []


def test_the_prompt_has_the_newest_ten_and_five_of_the_portfolio(talker: Talker) -> None:
    assert prompt(talker, None) == []
    for number in range(12):
        for scope, portfolio in (("user", None), ("portfolio", talker.portfolio)):
            talker.ai(
                "INSERT INTO ai_memories (user_id, scope, content, tags, created_at)"
                " VALUES (%s, %s, %s, jsonb_build_object('portfolio_id', %s::text),"
                " clock_timestamp())",
                [talker.id, scope, f"{scope} {number}", portfolio and str(portfolio)],
            )
    general = [f"- user {number}" for number in range(11, 1, -1)]
    of_portfolio = [f"- [portfolio] portfolio {number}" for number in range(11, 6, -1)]
    assert prompt(talker, talker.portfolio) == [*general, *of_portfolio]
    assert prompt(talker, uuid4()) == general
    assert prompt(talker, None) == general


def test_the_prompt_holds_whole_lines_of_at_most_1000_characters(talker: Talker) -> None:
    for content in ("short", "b" * 490, "c" * 498, "first\nsecond"):
        with talker.client() as client:
            client.post(CHAT, json={"content": content})
    assert prompt(talker, None) == ["- first second", "- " + "c" * 498, "- short"]
