"""A message that is sent again carries its id: one question is stored, and one answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import httpx
import pytest

from app.agent import running
from tests.api.backend import Backend
from tests.api.chat_model import configured_model
from tests.api.chat_stream import SEND, ask, asking, conversation
from tests.api.conftest import INDIVIDUAL
from tests.api.llm_server import Reply, chunk, said
from tests.api.test_chat_stream import rows_of
from tests.api.waiting import eventually

QUESTION = "How do I stand?"
BROKEN_OFF = Reply([chunk({"content": "Half an ans"})], cut=True)


def told(backend: Backend, conversation_id: str) -> list[tuple[str, str, bool]]:
    """Role, text, and whether it failed, of each message."""
    return [(row[1], row[2], row[-1] is not None) for row in rows_of(backend, conversation_id)]


@pytest.mark.parametrize("given", [True, False], ids=["a client's id", "the id that was told"])
def test_a_turn_that_was_broken_off_is_answered_anew_and_stored_once(
    given: bool, individual: httpx.Client, backend: Backend
) -> None:
    begun, mine = conversation(individual), {"message_id": str(uuid4())} if given else {}
    with configured_model() as llm:
        llm.replies = [BROKEN_OFF, said("Well.")]
        first = ask(individual, QUESTION, begun, **mine)
        assert first.one("error").data["retryable"]
        again = {"message_id": first.created["user_message_id"]}
        second = ask(individual, QUESTION, begun, **again)
        asked = [message["content"] for message in llm.chats[-1]["messages"][1:]]
    assert asked == [QUESTION]
    assert {**first.created, "run_id": ""} == {**second.created, "run_id": ""}
    assert first.created["user_message_id"] == mine.get("message_id", again["message_id"])
    assert second.names[-1] == "done"
    answered = [("user", QUESTION, False), ("assistant", "Well.", False)]
    assert told(backend, begun) == answered


def test_a_turn_that_was_answered_is_given_that_answer_again(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, mine = conversation(individual), {"message_id": str(uuid4())}
    with configured_model() as llm:
        llm.replies = [said("Well, ", "and how.")]
        first = ask(individual, QUESTION, begun, **mine)
        stored = rows_of(backend, begun)
        second = ask(individual, QUESTION, begun, **mine)
        assert len(llm.chats) == 1
    assert second.names == ["message_created", "start", "token", "done"]
    assert second.text == second.one("done").data["final_text"] == first.text
    assert rows_of(backend, begun) == stored


Taken = Callable[[dict[str, str], str], dict[str, str]]


@pytest.mark.parametrize(
    ("taken", "status"),
    [
        (lambda created, _: {"message_id": created["user_message_id"], "text": "Another"}, 409),
        (lambda created, _: {"message_id": created["assistant_message_id"]}, 409),
        (
            lambda created, other: {
                "message_id": created["user_message_id"],
                "conversation_id": other,
            },
            404,
        ),
    ],
    ids=["another text", "an answer", "another conversation"],
)
def test_the_id_of_another_message_is_refused(
    taken: Taken, status: int, individual: httpx.Client, backend: Backend
) -> None:
    begun, other = conversation(individual), conversation(individual)
    created, stored = ask(individual, QUESTION, begun).created, rows_of(backend, begun)
    body = {"conversation_id": begun, "text": QUESTION, **taken(created, other)}
    _refused(individual, body, status)
    assert (rows_of(backend, begun), rows_of(backend, other)) == (stored, [])


def test_the_id_of_another_users_message_is_refused(
    individual: httpx.Client, hedge_fund: httpx.Client, backend: Backend
) -> None:
    theirs, own = conversation(hedge_fund), conversation(individual)
    created, stored = ask(hedge_fund, QUESTION, theirs).created, rows_of(backend, theirs)
    again = {"message_id": created["user_message_id"], "text": QUESTION}
    _refused(individual, {"conversation_id": own, **again}, 404)
    assert individual.post(SEND, json={"conversation_id": theirs, **again}).status_code == 404
    assert (rows_of(backend, theirs), rows_of(backend, own)) == (stored, [])


def _refused(client: httpx.Client, body: dict[str, str], status: int) -> None:
    said = client.post(SEND, json=body)
    taken = "This message_id is another message's: send this one with a new id"
    detail = {404: "Message not found", 409: taken}[status]
    assert (said.status_code, said.json()) == (status, {"detail": detail})


def test_of_a_turn_that_is_tried_again_while_it_is_under_way_the_whole_answer_stays(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, mine = conversation(individual), {"message_id": str(uuid4())}
    with configured_model() as llm, backend.client(INDIVIDUAL) as other:
        llm.replies = [Reply([chunk({"content": "Half"}), 30.0]), said("Whole.")]
        with asking(individual, QUESTION, begun, **mine) as events:
            assert "token" in (event.name for event in events)
            assert ask(other, QUESTION, begun, **mine).text == "Whole."
        eventually(lambda: not running._streams)
    assert told(backend, begun) == [("user", QUESTION, False), ("assistant", "Whole.", False)]


def test_one_message_that_is_sent_twice_at_once_is_stored_once(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, mine = conversation(individual), {"message_id": str(uuid4())}

    def send(_: int) -> str:
        with backend.client(INDIVIDUAL) as client:
            return ask(client, QUESTION, begun, **mine).names[-1]

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(send, range(3))) == {"done"}
    ids = [UUID(row[0]) for row in rows_of(backend, begun)]
    assert len(ids) == 2
    assert str(ids[0]) == mine["message_id"]
