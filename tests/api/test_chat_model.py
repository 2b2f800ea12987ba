"""A language model behind the chat: what it is asked, and everything that it can do wrong."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.agent import answering, bounds, grounding, running, turns
from app.database import ai_engine, core_engine
from ops.connection import connect
from ops.demo.book import derived_id
from tests.api.backend import Backend, authorization, backend_process
from tests.api.chat_model import API_KEY, configured_model
from tests.api.chat_stream import CONVERSATIONS, SEND, ask, asking, conversation
from tests.api.conftest import INDIVIDUAL
from tests.api.llm_server import LlmServer, Reply, called, chunk, end, said
from tests.api.test_chat_stream import rows_of

QUESTION = "How do I stand?"


@pytest.fixture
def llm(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    monkeypatch.setattr(bounds, "BACKOFF_MS", 20)
    monkeypatch.setattr(bounds, "BACKOFF_JITTER_MS", 5)
    with configured_model() as server:
        yield server


@pytest.fixture
def llm_with_fallback(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    monkeypatch.setattr(bounds, "BACKOFF_MS", 20)
    with configured_model(LLM_FALLBACK_MODEL="second-model") as server:
        yield server


def eventually(condition: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.02)


def error_of(backend: Backend, conversation_id: str) -> Any:
    return rows_of(backend, conversation_id)[-1][-1]


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
        seen, held = [], []
        for event in events:
            seen.append(event)
            if event.name == "heartbeat":
                engines = (core_engine(), ai_engine())
                held += [engine.pool.checkedout() for engine in engines]  # type: ignore[attr-defined]
    beats = [event for event in seen if event.name == "heartbeat"]
    assert len(beats) >= 3
    assert {(event.payload["seq"], str(event.data)) for event in beats} == {(0, "{}")}
    assert set(held) == {0}
    assert seen[-1].name == "done"
    numbers = [e.payload["seq"] for e in seen[1:-1] if e.name != "heartbeat"]
    assert numbers == list(range(len(numbers)))


def test_a_model_that_is_asked_too_often_is_asked_again(
    llm: LlmServer, individual: httpx.Client
) -> None:
    llm.replies = [Reply(status=429, headers={"Retry-After": "0.3"}), said("Now.")]
    run = ask(individual, QUESTION)
    info = run.one("info")
    assert info.payload["seq"] == 0
    assert info.data == {
        "info_type": "retry_scheduled",
        "attempt": 1,
        "max_attempts": 3,
        "retry_in_ms": 300,
        "retryable": True,
    }
    done = run.one("done").data
    assert done["final_text"] == "Now."
    assert done["retry_stats"] == {"attempts": 2, "max_retries": 2, "used_fallback_model": False}


def test_a_wait_that_is_too_long_is_not_waited(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [Reply(status=429, headers={"Retry-After": "3600"})]
    run = ask(individual, QUESTION)
    assert run.names == ["message_created", "start", "error"]
    assert run.one("error").data["error_type"] == "RATE_LIMITED"


def test_a_failing_model_gives_way_to_the_fallback(
    llm_with_fallback: LlmServer, individual: httpx.Client
) -> None:
    llm_with_fallback.replies = [Reply(status=500), Reply(status=503), said("I take over.")]
    run = ask(individual, QUESTION)
    assert [event.data["info_type"] for event in run.all("info")] == [
        "retry_scheduled",
        "model_switch",
        "retry_scheduled",
    ]
    switch = run.all("info")[1].data
    assert switch == {
        "info_type": "model_switch",
        "from": "first-model",
        "to": "second-model",
        "attempt": 2,
    }
    asked = [request["model"] for request in llm_with_fallback.chats]
    assert asked == ["first-model", "second-model", "second-model"]
    done = run.one("done").data
    assert (done["model_used"], done["fallback_used"]) == ("second-model", True)


@pytest.mark.parametrize(
    ("reply", "kind", "attempts"),
    [
        (Reply(status=500), "SERVER_ERROR", 3),
        (Reply(status=401), "FATAL_ERROR", 1),
        (Reply(status=400), "FATAL_ERROR", 1),
        (Reply([chunk({"role": "assistant"})], cut=True), "NETWORK_ERROR", 3),
        (Reply([chunk({"role": "assistant"})]), "NETWORK_ERROR", 3),
        (Reply(["data: {not json\n\n"]), "NETWORK_ERROR", 3),
        (Reply(["data: [1]\n\n"]), "NETWORK_ERROR", 3),
        (Reply([b"data: " + b"x" * 1_100_000]), "NETWORK_ERROR", 3),
        (Reply([chunk(None, error={"message": API_KEY})]), "SERVER_ERROR", 3),
        (Reply(end()), "SERVER_ERROR", 3),
        (Reply(["<html>not a stream</html>"]), "NETWORK_ERROR", 3),
        (Reply([]), "NETWORK_ERROR", 3),
    ],
    ids=lambda value: None if isinstance(value, Reply) else str(value),
)
def test_a_model_that_fails_before_its_first_word_ends_in_an_error(
    reply: Reply,
    kind: str,
    attempts: int,
    llm: LlmServer,
    individual: httpx.Client,
    backend: Backend,
) -> None:
    llm.replies = [reply]
    begun = conversation(individual)
    run = ask(individual, QUESTION, begun)
    assert run.events[-1].name == "error"
    assert run.events[-1].payload["seq"] == 0
    error = run.one("error").data
    assert set(error) == {"error", "error_type", "retryable", "attempts"}
    assert (error["error_type"], error["attempts"]) == (kind, attempts)
    assert len(llm.chats) == attempts
    assert not run.all("done")
    kept = error_of(backend, begun)
    assert (kept["error_type"], kept["error"]) == (kind, error["error"])
    assert API_KEY not in json.dumps([event.payload for event in run.events])


def test_what_was_said_before_a_cut_is_kept_and_not_said_twice(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [Reply([chunk({"content": "Half an ans"})], cut=True)]
    begun = conversation(individual)
    run = ask(individual, QUESTION, begun)
    assert run.text == "Half an ans"
    assert run.names[-2:] == ["token", "error"]
    assert len(llm.chats) == 1
    row = rows_of(backend, begun)[-1]
    assert row[2] == "Half an ans"
    assert row[-1]["error_type"] == "NETWORK_ERROR"


def test_a_failure_after_tools_repeats_the_request_and_not_the_tools(
    llm: LlmServer, individual: httpx.Client
) -> None:
    llm.replies = [called(("list_user_portfolios", {})), Reply(status=502), said("There.")]
    run = ask(individual, QUESTION)
    assert run.names[-1] == "done"
    assert len(run.all("tool_result")) == 1
    assert [request["messages"][-1]["role"] for request in llm.chats] == ["user", "tool", "tool"]


def test_a_model_that_stays_silent_is_given_up(
    backend: Backend, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BACKOFF_MS", 5)
    with configured_model(LLM_TIMEOUT_SECONDS="0.2") as llm:
        monkeypatch.setattr(bounds, "MAX_RETRIES", 1)
        llm.replies = [Reply([30.0])]
        run = ask(individual, QUESTION)
    error = run.one("error").data
    assert (error["error_type"], error["attempts"]) == ("NETWORK_ERROR", 2)


def test_an_endpoint_that_is_not_there_is_an_error(
    backend: Backend, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BACKOFF_MS", 5)
    with configured_model() as llm:
        gone = llm.url
    with configured_model(LLM_BASE_URL=gone):
        run = ask(individual, QUESTION)
    assert run.one("error").data["error_type"] == "NETWORK_ERROR"


def test_an_answer_that_takes_too_long_ends_in_an_error(
    llm: LlmServer,
    individual: httpx.Client,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "TURN_SECONDS", 0.5)
    llm.replies = [Reply([chunk({"content": "Well"}), 30.0])]
    begun = conversation(individual)
    run = ask(individual, QUESTION, begun)
    assert run.one("error").data["error"] == "The answer took too long"
    assert rows_of(backend, begun)[-1][2] == "Well"
    assert llm.client_gone.wait(10)


def test_an_answer_without_end_is_ended(
    llm: LlmServer, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_CHARACTERS", 1000)
    llm.replies = [Reply([*[chunk({"content": "x" * 100})] * 50, 30.0])]
    run = ask(individual, QUESTION)
    assert run.names[-1] == "done"
    assert run.text == "x" * 1000
    assert llm.client_gone.wait(10)


def test_a_client_that_goes_away_ends_the_upstream_request(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [Reply([chunk({"content": "Nobody reads"}), 30.0])]
    begun = conversation(individual)
    with asking(individual, QUESTION, begun) as events:
        for event in events:
            if event.name == "token":
                break
    assert llm.client_gone.wait(10)
    eventually(lambda: error_of(backend, begun) is not None)
    row = rows_of(backend, begun)[-1]
    assert row[2] == "Nobody reads"
    assert row[-1]["error_type"] == "CANCELLED"
    eventually(lambda: running.open_streams() == 0)


def test_a_client_that_leaves_at_the_very_end_loses_nothing(
    llm: LlmServer, individual: httpx.Client, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving = threading.Event()

    async def slowly(*arguments: Any) -> None:
        saving.set()
        await asyncio.sleep(0.5)
        await turns.save_answer(*arguments)

    monkeypatch.setattr(answering, "save_answer", slowly)
    llm.replies = [said("All of it.")]
    begun = conversation(individual)
    with asking(individual, QUESTION, begun) as events:
        next(events)
        assert saving.wait(10)
    eventually(lambda: running.open_streams() == 0)
    row = rows_of(backend, begun)[-1]
    assert (row[2], row[-1]) == ("All of it.", None)


def test_an_answer_that_cannot_be_saved_is_not_done(
    llm: LlmServer, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("away"))

    monkeypatch.setattr(answering, "save_answer", failing)
    run = ask(individual, QUESTION)
    assert run.names[-2:] == ["token", "error"]
    assert run.one("error").data["error"] == "The answer could not be saved"


def test_a_conversation_may_be_deleted_while_it_is_answered(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    llm.replies = [Reply([chunk({"content": "Still"}), 0.5, chunk({"content": " here"}), *end()])]
    begun = conversation(individual)
    with asking(individual, QUESTION, begun) as events:
        names = []
        for event in events:
            names.append(event.name)
            if names.count("token") == 1 and event.name == "token":
                with backend.client(INDIVIDUAL) as other:
                    gone = other.delete(f"{CONVERSATIONS}/{begun}")
                assert gone.status_code == 204
    assert names[-1] == "done"
    assert rows_of(backend, begun) == []


@pytest.mark.parametrize("fault", ["away", "slow"])
def test_an_answer_goes_without_documents_and_memories_where_ai_is_away(
    fault: str, llm: LlmServer, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        if fault == "slow":
            await asyncio.sleep(30)
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(bounds, "GROUNDING_SECONDS", 0.1)
    monkeypatch.setattr(grounding.rag_service, "retrieve", failing)
    monkeypatch.setattr(grounding.memory_service, "memories_for_prompt", failing)
    run = ask(individual, QUESTION)
    assert run.one("start").data["rag"] == {"documents": 0, "titles": []}
    assert run.names[-1] == "done"


def test_a_backend_that_stops_keeps_what_was_said(
    backend: Backend, individual: httpx.Client, tmp_path: Path
) -> None:
    begun, name = conversation(individual), "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"
    with configured_model() as llm:
        llm.replies = [Reply([chunk({"content": "Not yet"}), 60.0])]
        settings = {"LLM_BASE_URL": llm.url, name: "1"}
        with (
            backend_process(backend.core, backend.ai, tmp_path, **settings) as other,
            httpx.Client(
                base_url=other.answering(), headers=authorization(INDIVIDUAL), timeout=30
            ) as client,
            asking(client, QUESTION, begun) as events,
        ):
            assert "token" in (event.name for event in events)
            other.process.terminate()
            assert other.process.wait(20) is not None
    row = rows_of(backend, begun)[-1]
    assert (row[2], row[-1]["error_type"]) == ("Not yet", "CANCELLED")


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
        eventually(lambda: running.open_streams() == 0)
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
