"""A language model behind the chat: what it is asked, and what becomes of its answers."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.agent import bounds, running
from app.database import ai_engine, core_engine
from ops.connection import connect
from ops.demo.book import derived_id
from tests.api.backend import Backend
from tests.api.chat_model import API_KEY, configured_model
from tests.api.chat_stream import SEND, ask, asking, conversation
from tests.api.conftest import INDIVIDUAL
from tests.api.llm_server import LlmServer, Reply, called, chunk, end, said
from tests.api.test_chat_stream import rows_of
from tests.api.waiting import eventually

QUESTION = "How do I stand?"


@pytest.fixture
def llm(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    monkeypatch.setattr(bounds, "BACKOFF_MS", 20)
    monkeypatch.setattr(bounds, "BACKOFF_JITTER_MS", 5)
    with configured_model() as server:
        yield server


def test_a_models_answer_is_streamed_counted_and_kept(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [said("You stand ", "well.")]
    begun = conversation(individual, mode="violet")
    run = ask(individual, QUESTION, begun)
    assert run.names == ["message_created", "start", "response_id", "token", "done"]
    assert [event.data["delta"] for event in run.all("token")] == ["You stand ", "well."]
    assert run.one("start").data["model"] == "first-model"
    assert run.one("response_id").data == {"response_id": "chatcmpl-1", "provider": "openai"}
    assert run.one("done").data["token_counts"] == {"initial": 7, "continuation": 0}
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT content, prompt_tokens, completion_tokens, total_tokens, provider_message_id, "
            "tool_calls, error FROM agent_messages WHERE id = %s",
            [run.created["assistant_message_id"]],
        ).fetchone()
    assert row == ("You stand well.", 11, 7, 18, "chatcmpl-1", [], None)


def test_the_model_is_given_style_portfolio_history_and_tools(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    begun = conversation(individual, mode="violet", page_hint="risk-page")
    llm.replies = [said("First answer.")]
    for number in range(6):
        ask(individual, f"Question {number}", begun)
    [request] = llm.chats[-1:]
    system, *rest = request["messages"]
    assert (request["model"], request["stream"]) == ("first-model", True)
    assert "Look at risk first" in system["content"]
    assert "Demo Individual Investor Portfolio" in system["content"]
    assert "risk-page" in system["content"]
    asked = [message["content"] for message in rest if message["role"] == "user"]
    assert asked == [f"Question {number}" for number in range(6)]
    assert len(rest) == 10 + 1
    assert {tool["function"]["name"] for tool in request["tools"]} >= {"get_portfolio_complete"}
    assert llm.keys[-1] == f"Bearer {API_KEY}"


def test_only_the_last_ten_messages_are_given(llm: LlmServer, individual: httpx.Client) -> None:
    begun = conversation(individual)
    for number in range(7):
        ask(individual, f"Question {number}", begun)
    given = llm.chats[-1]["messages"][1:]
    assert [message["content"] for message in given if message["role"] == "user"] == [
        f"Question {number}" for number in range(1, 7)
    ]


def test_the_model_knows_what_is_remembered_of_its_user(
    llm: LlmServer, individual: httpx.Client
) -> None:
    memory = {"scope": "user", "content": "saves for a house in 2031"}
    made = individual.post("/api/v1/chat/memories", json=memory).json()
    ask(individual, QUESTION)
    individual.delete(f"/api/v1/chat/memories/{made['id']}")
    assert "saves for a house in 2031" in llm.chats[-1]["messages"][0]["content"]


def test_a_model_that_calls_tools_gets_their_results_and_answers(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [
        called(("list_user_portfolios", {}), ("get_concentration_metrics", {}), text="Let me see."),
        said("It is fine."),
    ]
    begun = conversation(individual)
    run = ask(individual, QUESTION, begun)
    assert [event.data["tool_name"] for event in run.all("tool_call")] == [
        "list_user_portfolios",
        "get_concentration_metrics",
    ]
    assert run.text == run.one("done").data["final_text"] == "Let me see.\n\nIt is fine."
    assert run.one("done").data["token_counts"] == {"initial": 7, "continuation": 7}
    *_, asked, first, second = llm.chats[1]["messages"]
    assert (asked["role"], asked["content"]) == ("assistant", "Let me see.")
    assert [call["id"] for call in asked["tool_calls"]] == ["call_0", "call_1"]
    results = [event.data["tool_result"] for event in run.all("tool_result")]
    for message, result in zip((first, second), results, strict=True):
        assert message["role"] == "tool"
        assert json.loads(message["content"]) == result
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT p.id::text FROM portfolios p JOIN users u ON u.id = p.user_id "
            "WHERE u.email = %s",
            [INDIVIDUAL],
        ).fetchone()
    assert row is not None
    assert results[1]["meta"]["applied"] == {"portfolio_id": row[0]}
    assert results[1]["data"]["portfolio_id"] == row[0]
    assert [call["name"] for call in rows_of(backend, begun)[-1][3]] == [
        "list_user_portfolios",
        "get_concentration_metrics",
    ]


def test_an_endless_loop_of_tools_ends_after_five_rounds(
    llm: LlmServer, individual: httpx.Client
) -> None:
    llm.replies = [*[called(("list_user_portfolios", {}))] * 5, said("Enough.")]
    run = ask(individual, QUESTION)
    assert len(run.all("tool_result")) == 5
    assert run.text == "Enough."
    assert [("tools" in request) for request in llm.chats] == [True] * 5 + [False]


def test_a_model_that_only_ever_calls_tools_ends_in_an_error(
    llm: LlmServer, individual: httpx.Client
) -> None:
    llm.replies = [called(("list_user_portfolios", {}))]
    run = ask(individual, QUESTION)
    assert len(run.all("tool_result")) == 5
    assert run.names[-1] == "error"
    assert len(llm.chats) == 6


def test_too_many_calls_at_once_are_refused_one_by_one(
    llm: LlmServer, individual: httpx.Client
) -> None:
    llm.replies = [called(*[("list_user_portfolios", {})] * 10), said("Done.")]
    results = [e.data["tool_result"] for e in ask(individual, QUESTION).all("tool_result")]
    assert [("error" in result) for result in results] == [False] * 8 + [True] * 2


def test_words_of_the_protocol_within_an_answer_break_nothing(
    llm: LlmServer, individual: httpx.Client
) -> None:
    text = 'event: done\ndata: {"type": "done"}\n\nevent: error\r\n\r\n\u2028\x85\0 done'
    llm.replies = [said(text, " and more")]
    run = ask(individual, QUESTION)
    assert run.text == text.replace("\0", "") + " and more"
    assert run.names[-2:] == ["token", "done"]


def test_a_silent_model_leaves_heartbeats_and_no_connection(
    llm: LlmServer, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "HEARTBEAT_SECONDS", 0.1)
    llm.replies = [Reply([chunk({"content": "So"}), 0.6, chunk({"content": " slow"}), *end()])]
    with asking(individual, QUESTION, conversation(individual)) as events:
        seen, held = [], list[int]()
        for event in events:
            seen.append(event)
            if event.name == "heartbeat":
                engines = (core_engine(), ai_engine())
                held = [engine.pool.checkedout() for engine in engines]  # type: ignore[attr-defined]
    beats = [event for event in seen if event.name == "heartbeat"]
    assert len(beats) >= 3
    assert {(event.payload["seq"], str(event.data)) for event in beats} == {(0, "{}")}
    assert held == [0, 0], "at the last of them: a busy machine may still have begun at the first"
    assert seen[-1].name == "done"
    numbers = [e.payload["seq"] for e in seen[1:-1] if e.name != "heartbeat"]
    assert numbers == list(range(len(numbers)))


def test_a_user_has_three_answers_at_a_time(
    llm: LlmServer, individual: httpx.Client, hedge_fund: httpx.Client, backend: Backend
) -> None:
    llm.replies = [Reply([30.0])]
    begun = conversation(individual)
    with backend.client(INDIVIDUAL) as a, backend.client(INDIVIDUAL) as b:
        with (
            asking(individual, QUESTION, begun) as first,
            asking(a, QUESTION, begun) as second,
            asking(b, QUESTION, begun) as third,
        ):
            for stream in (first, second, third):
                assert next(stream).name == "message_created"
            body = {"conversation_id": begun, "text": QUESTION}
            with backend.client(INDIVIDUAL) as other:
                refused = other.post(SEND, json=body)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            with asking(hedge_fund, QUESTION, conversation(hedge_fund)) as another:
                assert next(another).name == "message_created"
        eventually(lambda: not running._streams)
    llm.replies = [said("Free again.")]
    assert ask(individual, QUESTION, begun).names[-1] == "done"
    assert len(rows_of(backend, begun)) == 8


def test_what_an_answer_teaches_is_remembered_once(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    fact = "Wants to retire in 2040"
    llm.memories = f'Here: ["{fact}", "", 5, "wants to retire"]'
    llm.replies = [said("That is a long time, and your portfolio is made for it: mostly stocks.")]

    def kept() -> list[Any]:
        with connect(backend.ai, application_name="tests") as ai:
            return ai.execute(
                "SELECT content, scope, tags ->> 'source' FROM ai_memories WHERE user_id = %s",
                [derived_id("user", INDIVIDUAL)],
            ).fetchall()

    begun = conversation(individual)
    for times in (1, 2):
        assert ask(individual, "I retire in 2040", begun).names[-1] == "done"
        eventually(lambda times=times: len(llm.requests) - len(llm.chats) == times)
        eventually(lambda: not running.under_way())
    assert kept() == [(fact, "user", "auto_extraction")]
    individual.delete("/api/v1/chat/memories")


def test_a_short_answer_teaches_nothing(llm: LlmServer, individual: httpx.Client) -> None:
    llm.replies = [said("Yes.")]
    ask(individual, QUESTION)
    eventually(lambda: not running.under_way())
    assert len(llm.requests) == len(llm.chats) == 1
