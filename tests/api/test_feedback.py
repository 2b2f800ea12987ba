"""Ratings of answers, and what is learned from them in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.agent.embeddings import LOCAL_MODEL
from app.agent.services import feedback_learning, feedback_service, rag_service
from app.agent.services.feedback_learning import finish_learning, learn, learn_later
from tests.api.backend import Backend
from tests.api.talks import Talker, talking
from tests.api.test_memories import CHAT as MEMORIES
from tests.api.test_memories import in_session

QUESTION, ANSWER = "What is my largest holding?", "Your largest holding is AAPL at 12 % of equity."


@pytest.fixture
def talker(backend: Backend) -> Iterator[Talker]:
    with talking(backend) as talker:
        yield talker
        settled(talker)


@pytest.fixture
def client(talker: Talker) -> Iterator[httpx.Client]:
    with talker.client() as client:
        yield client


def path(message: UUID) -> str:
    return f"/api/v1/chat/messages/{message}/feedback"


def answer_of(talker: Talker) -> UUID:
    """An answer in the middle of a conversation, with questions before and after it."""
    talker.say("user", "Hello")
    talker.say("assistant", "Hello, how can I help?")
    talker.say("user", QUESTION)
    answer = talker.say("assistant", ANSWER)
    talker.say("user", "And the second largest?")
    return answer


def until(condition: Callable[[], Any], seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing was learned"
        time.sleep(0.02)
    return found


def settled(talker: Talker) -> None:
    """Wait until the backend learns nothing any more."""
    until(lambda: not feedback_learning._tasks)


def learned(talker: Talker) -> tuple[list[Any], list[Any]]:
    """The user's examples and memories, when everything is learned."""
    settled(talker)
    return talker.examples(), talker.memories()


def test_an_answer_is_rated_and_the_rating_changed(client: httpx.Client, talker: Talker) -> None:
    answer = answer_of(talker)
    assert client.get(path(answer)).json() is None
    first = client.post(path(answer), json={"rating": "up"})
    assert first.status_code == 200
    assert first.json() == {
        "id": first.json()["id"],
        "message_id": str(answer),
        "rating": "up",
        "edited_text": None,
        "comment": None,
    }
    changed = {"rating": "down", "edited_text": "Better.", "comment": "Too long"}
    second = client.post(path(answer), json=changed).json()
    assert second == {"id": first.json()["id"], "message_id": str(answer), **changed}
    assert client.get(path(answer)).json() == second
    count = "SELECT count(*) FROM ai_feedback WHERE message_id = %s"
    assert talker.ai(count, [answer]) == [(1,)]
    gone = client.delete(path(answer))
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.delete(path(answer)).status_code == 404
    assert client.get(path(answer)).json() is None


def test_many_ratings_of_one_answer_at_once_are_one(client: httpx.Client, talker: Talker) -> None:
    answer = answer_of(talker)
    bodies = [{"rating": "up" if number % 2 else "down"} for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: client.post(path(answer), json=body), bodies))
    assert {sent.status_code for sent in answers} == {200}
    assert len({sent.json()["id"] for sent in answers}) == 1
    rows = talker.ai("SELECT rating FROM ai_feedback WHERE message_id = %s", [answer])
    assert len(rows) == 1
    examples, _ = learned(talker)
    assert len(examples) == (rows == [("up",)])


def test_another_users_answer_does_not_exist(client: httpx.Client, backend: Backend) -> None:
    with talking(backend) as other, other.client() as others:
        answer = answer_of(other)
        others.post(path(answer), json={"rating": "down"})
        for message in (answer, uuid4()):
            asked = [client.get(path(message)), client.post(path(message), json={"rating": "up"})]
            asked.append(client.delete(path(message)))
            assert [each.status_code for each in asked] == [404] * 3
        assert others.get(path(answer)).json()["rating"] == "down"


def test_only_answers_are_rated(client: httpx.Client, talker: Talker) -> None:
    question = talker.say("user", QUESTION)
    assert client.post(path(question), json={"rating": "up"}).status_code == 400
    assert client.get(path(question)).json() is None


def test_what_is_no_rating_is_refused(client: httpx.Client, talker: Talker) -> None:
    answer = answer_of(talker)
    bodies: list[Any] = [
        {},
        {"rating": "sideways"},
        {"rating": None},
        {"rating": "up", "comment": "a\0b"},
        {"rating": "up", "comment": "x" * 5_001},
        {"rating": "down", "edited_text": "x" * 50_001},
        {"rating": "down", "edited_text": 1},
        [],
    ]
    for body in bodies:
        assert client.post(path(answer), json=body).status_code == 422, body


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_nobody_rates_nothing(anonymous: httpx.Client, method: str) -> None:
    assert anonymous.request(method, path(uuid4())).status_code == 401


# Learning.


def test_a_liked_answer_becomes_an_example_of_its_user(
    client: httpx.Client, talker: Talker, backend: Backend
) -> None:
    answer = answer_of(talker)
    feedback = client.post(path(answer), json={"rating": "up"}).json()
    [(content, metadata)] = until(talker.examples)
    assert QUESTION in content
    assert ANSWER in content
    assert "Hello" not in content
    assert metadata == {
        "type": "positive_example",
        "user_id": str(talker.id),
        "message_id": str(answer),
        "feedback_id": feedback["id"],
        "feedback_date": metadata["feedback_date"],
        "embedding_model": LOCAL_MODEL,
    }
    scopes = rag_service.conversation_scopes([], None, None)

    def found_by(user: UUID | None) -> list[str]:
        question = "which holding is my largest?"
        documents = in_session(
            talker,
            lambda ai: rag_service.retrieve(ai, question, scopes, limit=100, user_id=user),
        )
        return [each.content for each in documents if each.scope.startswith("feedback")]

    assert found_by(talker.id) == [content]
    assert found_by(uuid4()) == found_by(None) == []


def test_an_edited_answer_becomes_a_rule(client: httpx.Client, talker: Talker) -> None:
    answer = answer_of(talker)
    body = {"rating": "down", "edited_text": "AAPL, 12 %.", "comment": "no sentences please"}
    feedback = client.post(path(answer), json=body).json()
    [(content, tags)] = until(talker.memories)
    assert "shorter" in content
    assert "no sentences please" in content
    assert tags == {
        "category": "communication_style",
        "source": "feedback_learning",
        "confidence": 0.8,
        "feedback_id": feedback["id"],
    }
    assert talker.examples() == []


def test_a_bad_rating_without_an_edit_teaches_nothing(client: httpx.Client, talker: Talker) -> None:
    client.post(path(answer_of(talker)), json={"rating": "down", "comment": "no"})
    assert learned(talker) == ([], [])


def test_another_rating_undoes_what_the_former_taught(client: httpx.Client, talker: Talker) -> None:
    answer = answer_of(talker)
    client.post(MEMORIES, json={"content": "told by the user"})
    client.post(path(answer), json={"rating": "up"})
    until(talker.examples)
    client.post(path(answer), json={"rating": "down", "edited_text": "AAPL."})
    examples, memories = learned(talker)
    assert (len(examples), len(memories)) == (0, 2)
    client.post(path(answer), json={"rating": "up"})
    examples, memories = learned(talker)
    assert (len(examples), len(memories)) == (1, 1)
    client.delete(path(answer))
    examples, memories = learned(talker)
    assert examples == []
    assert [content for content, _ in memories] == ["told by the user"]


def test_deleting_the_feedback_of_messages_deletes_what_it_taught(
    client: httpx.Client, talker: Talker
) -> None:
    liked, edited, unrated = (talker.say("assistant", ANSWER) for _ in range(3))
    kept = answer_of(talker)
    client.post(path(liked), json={"rating": "up"})
    client.post(path(edited), json={"rating": "down", "edited_text": "AAPL."})
    client.post(path(kept), json={"rating": "up"})
    examples, memories = learned(talker)
    assert (len(examples), len(memories)) == (2, 1)
    ids = [liked, edited, unrated, uuid4()]
    assert in_session(talker, lambda ai: feedback_service.delete_feedback_of(ai, ids)) == 2
    assert in_session(talker, lambda ai: feedback_service.delete_feedback_of(ai, ids)) == 0
    assert in_session(talker, lambda ai: feedback_service.delete_feedback_of(ai, [])) == 0
    examples, memories = learned(talker)
    assert [metadata["message_id"] for _, metadata in examples] == [str(kept)]
    assert memories == []


def test_a_rating_that_changed_while_it_was_learned_teaches_nothing(
    client: httpx.Client,
    talker: Talker,
    learn_now: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = answer_of(talker)
    feedback = client.post(path(answer), json={"rating": "down"}).json()
    embed = rag_service.embed

    async def overtaken(texts: list[str]) -> list[list[float]]:
        talker.ai("UPDATE ai_feedback SET rating = 'down' WHERE message_id = %s", [answer])
        return await embed(texts)

    monkeypatch.setattr(rag_service, "embed", overtaken)
    talker.ai("UPDATE ai_feedback SET rating = 'up' WHERE message_id = %s", [answer])
    assert learn_now(feedback) is None
    assert talker.examples() == []


def test_the_rating_of_a_message_that_is_gone_goes_too(
    client: httpx.Client, talker: Talker, learn_now: Callable[..., Any]
) -> None:
    answer = answer_of(talker)
    feedback = client.post(path(answer), json={"rating": "down"}).json()
    settled(talker)
    talker.core("DELETE FROM agent_messages WHERE id = %s", [answer])
    assert learn_now(feedback) is None
    count = "SELECT count(*) FROM ai_feedback WHERE message_id = %s"
    assert talker.ai(count, [answer]) == [(1,)]
    learn_now(feedback, orphans_go=True)
    assert talker.ai(count, [answer]) == [(0,)]


def test_a_failure_to_learn_is_logged_and_disturbs_nobody(
    client: httpx.Client,
    talker: Talker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(_: list[str]) -> list[list[float]]:
        raise RuntimeError("no model")

    monkeypatch.setattr(rag_service, "embed", failing)
    monkeypatch.setattr(logging.getLogger("sigmasight"), "propagate", True)
    answer = answer_of(talker)
    assert client.post(path(answer), json={"rating": "up"}).status_code == 200
    assert learned(talker) == ([], [])
    assert "a rating taught nothing" in caplog.text


def test_learning_is_bounded_and_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = list[UUID](), list[UUID]()

    async def slow(feedback_id: UUID, **_: Any) -> None:
        begun.append(feedback_id)
        await asyncio.sleep(0.1 if len(begun) < 20 else 60)
        ended.append(feedback_id)

    async def run() -> float:
        for _ in range(30):
            learn_later(uuid4())
        started = time.monotonic()
        await finish_learning(seconds=0.5)
        return time.monotonic() - started

    monkeypatch.setattr(feedback_learning, "learn", slow)
    assert 0.4 < asyncio.run(run()) < 5
    assert len(begun) == 20
    assert len(ended) == 19
    assert not feedback_learning._tasks


@pytest.fixture
def learn_now(
    talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., feedback_learning.Lesson | None]:
    """Learn from a rating, given as the API shows it, in a loop and with connections of its own."""

    def sessions(url: URL) -> Callable[[], AsyncSession]:
        return lambda: AsyncSession(create_async_engine(url, poolclass=NullPool))

    def now(feedback: dict[str, str], **options: bool) -> feedback_learning.Lesson | None:
        settled(talker)
        with monkeypatch.context() as patch:
            patch.setattr(feedback_learning, "get_ai_session", sessions(talker.backend.ai))
            patch.setattr(feedback_learning, "get_core_session", sessions(talker.backend.core))
            return asyncio.run(learn(UUID(feedback["id"]), **options))

    return now
