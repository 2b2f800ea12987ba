"""Answers of a language model that go wrong or are broken off, and what is kept of them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.agent import answering, bounds, grounding, running, turns
from tests.api.backend import Backend, authorization, backend_process
from tests.api.chat_model import API_KEY, configured_model
from tests.api.chat_stream import CONVERSATIONS, ask, asking, conversation
from tests.api.conftest import INDIVIDUAL
from tests.api.llm_server import LlmServer, Reply, called, chunk, end, said
from tests.api.test_chat_stream import rows_of
from tests.api.waiting import eventually
from tests.groups import soaked

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


def error_of(backend: Backend, conversation_id: str) -> Any:
    return rows_of(backend, conversation_id)[-1][-1]


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
        (Reply(["data: {not json\n\n"]), "NETWORK_ERROR", 3),
        (Reply([chunk(None, error={"message": API_KEY})]), "SERVER_ERROR", 3),
        *soaked(
            (Reply([chunk({"role": "assistant"})]), "NETWORK_ERROR", 3),
            (Reply(["data: [1]\n\n"]), "NETWORK_ERROR", 3),
            (Reply([b"data: " + b"x" * 1_100_000]), "NETWORK_ERROR", 3),
            (Reply(end()), "SERVER_ERROR", 3),
            (Reply(["<html>not a stream</html>"]), "NETWORK_ERROR", 3),
            (Reply([]), "NETWORK_ERROR", 3),
        ),
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
    eventually(lambda: not running._streams)


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
    eventually(lambda: not running._streams)
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


@pytest.mark.soak
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
