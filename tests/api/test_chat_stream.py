"""A message's stream: its events, its rows, and what the rule-based responder answers."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg.types.json import Jsonb

from app.agent.embeddings import embed, embedding_model
from ops.connection import connect
from tests.api.backend import Backend
from tests.api.chat_stream import SEND, Run, ask, asking, conversation
from tests.api.conftest import HEDGE_FUND, INDIVIDUAL
from tests.api.own_book import OwnBook, own_book
from tests.api.test_chat_conversations import portfolio_of, stored

QUESTION = "What are my top holdings?"
TOOL_EVENTS = ["tool_call", "tool_result"]


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as book:
        yield book
        book.core.execute("DELETE FROM agent_conversations WHERE user_id = %s", [book.user_id])


@pytest.fixture
def documents(backend: Backend) -> Iterator[list[str]]:
    """Titles of three documents on the page "holdings-test", nearer to the question than any of
    the knowledge base."""
    texts = [f"{QUESTION} {n}" for n in range(3)]
    titles = [f"On holdings {uuid4()}" for _ in texts]
    vectors = asyncio.run(embed(texts))
    metadata = Jsonb({"type": "faq", "embedding_model": embedding_model()})
    with connect(backend.ai, application_name="tests", autocommit=True) as ai:
        for title, text, vector in zip(titles, texts, vectors, strict=True):
            ai.execute(
                "INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding) "
                "VALUES ('page:holdings-test', %s, %s, %s, %s::vector)",
                [title, text, metadata, str(vector)],
            )
        yield titles
        ai.execute("DELETE FROM ai_kb_documents WHERE scope = 'page:holdings-test'")


def rows_of(backend: Backend, conversation_id: str) -> list[Any]:
    with connect(backend.core, application_name="tests") as core:
        return core.execute(
            "SELECT id::text, role, content, tool_calls, first_token_ms, latency_ms, "
            "completion_tokens, total_tokens, provider_message_id, error FROM agent_messages "
            "WHERE conversation_id = %s ORDER BY created_at",
            [conversation_id],
        ).fetchall()


def test_the_events_come_in_order_and_in_their_envelope(individual: httpx.Client) -> None:
    begun = conversation(individual)
    run = ask(individual, QUESTION, begun)
    expected = ["message_created", "start", "response_id", *TOOL_EVENTS * 2, "token", "done"]
    assert run.names == expected
    assert set(run.created) == {
        "user_message_id",
        "assistant_message_id",
        "conversation_id",
        "run_id",
    }
    assert run.created["conversation_id"] == begun
    for event in run.events[1:]:
        assert set(event.payload) == {"type", "run_id", "seq", "data", "timestamp"}
        assert event.payload["type"] == event.name
        assert event.payload["run_id"] == run.created["run_id"]
    numbers = [event.payload["seq"] for event in run.events[1:-1]]
    assert numbers == list(range(len(numbers)))
    assert run.events[-1].payload["seq"] == 0


def test_the_stream_is_not_buffered_on_its_way(individual: httpx.Client) -> None:
    body = {"conversation_id": conversation(individual), "text": QUESTION}
    headers = individual.post(SEND, json=body).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["connection"] == "keep-alive"
    assert headers["x-accel-buffering"] == "no"


def test_start_and_done_say_what_clients_read(individual: httpx.Client, backend: Backend) -> None:
    shown = {"page_hint": "portfolio", "route": "/portfolio"}
    run = ask(individual, QUESTION, conversation(individual, **shown))
    start = run.one("start").data
    assert start.pop("rag")["documents"] >= 0
    assert start == {
        "conversation_id": run.created["conversation_id"],
        "mode": "green",
        "model": "rule-based",
        "reasoning_effort": None,
        "text_verbosity": None,
        "web_search_enabled": False,
        **shown,
        "portfolio_id": portfolio_of(backend, INDIVIDUAL),
        "portfolio_ids": None,
    }
    done = run.one("done").data
    assert done["final_text"] == run.text
    assert done["tool_calls_count"] == 2
    assert done["latency_ms"] >= 0
    assert sum(done["token_counts"].values()) == len(run.all("token"))
    assert len(done["post_tool_first_token_gaps_ms"]) == 1
    assert (done["fallback_used"], done["model_used"]) == (False, "rule-based")
    assert set(done["retry_stats"]) == {"attempts", "max_retries", "used_fallback_model"}
    happened = [entry["type"] for entry in done["event_timeline"]]
    assert happened[:2] == ["message_created", "start"]
    assert happened[-1] == "done_emit"
    times = [entry["t_ms"] for entry in done["event_timeline"]]
    assert times == sorted(times)


def test_both_rows_are_there_before_the_first_event(
    individual: httpx.Client, backend: Backend
) -> None:
    begun = conversation(individual)
    with asking(individual, QUESTION, begun) as events:
        created = next(events).payload
        rows = rows_of(backend, begun)
    ids = [created["user_message_id"], created["assistant_message_id"]]
    assert [row[0] for row in rows] == ids
    assert [row[1] for row in rows] == ["user", "assistant"]
    assert rows[0][2] == QUESTION


def test_the_answers_row_is_whole_when_done_arrives(
    individual: httpx.Client, backend: Backend
) -> None:
    begun = conversation(individual)
    with asking(individual, QUESTION, begun) as events:
        seen = []
        for event in events:
            seen.append(event)
            if event.name == "done":
                row = rows_of(backend, begun)[1]
    run = Run(seen)
    _, _, content, calls, first_token, latency, completion, total, provider_id, error = row
    assert content == run.text
    assert 0 <= first_token <= latency <= run.one("done").data["latency_ms"]
    assert completion == total == len(run.all("token"))
    assert provider_id == run.one("response_id").data["response_id"]
    assert error is None
    asked = [
        (e.data["tool_call_id"], e.data["tool_name"], e.data["tool_args"])
        for e in run.all("tool_call")
    ]
    assert [(call["id"], call["name"], call["arguments"]) for call in calls] == asked
    took = [event.data["duration_ms"] for event in run.all("tool_result")]
    assert [call["duration_ms"] for call in calls] == took


def test_the_top_holdings_are_those_of_the_database(
    hedge_fund: httpx.Client, backend: Backend
) -> None:
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute(
            "SELECT symbol, quantity * multiplier * close AS value FROM ("
            "  SELECT p.symbol, p.quantity, "
            "    CASE WHEN p.position_type IN ('LONG', 'SHORT') THEN 1 ELSE 100 END AS multiplier,"
            "    (SELECT close FROM market_data_cache m WHERE m.symbol = p.symbol AND close > 0 "
            "      ORDER BY date DESC LIMIT 1) AS close "
            "  FROM positions p JOIN portfolios f ON f.id = p.portfolio_id "
            "  JOIN users u ON u.id = f.user_id "
            "  WHERE u.email = %s AND p.exit_date IS NULL AND p.deleted_at IS NULL "
            "    AND (p.expiration_date IS NULL OR p.expiration_date >= '2025-12-19')"
            ") AS held ORDER BY abs(quantity * multiplier * close) DESC NULLS LAST",
            [HEDGE_FUND],
        ).fetchall()
    gross = sum(abs(float(value or 0)) for _, value in rows)
    run = ask(hedge_fund, "What are my top 5 holdings?")
    assert [e.data["tool_name"] for e in run.all("tool_call")] == [
        "list_user_portfolios",
        "get_portfolio_complete",
    ]
    line = r"\d+\. \*\*([\w.-]+)\*\*(?: \(\w+\))?: (-?)\$([\d,.]+), ([\d.]+)%"
    told = [
        (symbol, int(f"{sign}1") * float(value.replace(",", "")), float(weight))
        for symbol, sign, value, weight in re.findall(line, run.text)
    ]
    assert len(told) == 5
    for (symbol, value, weight), (expected, amount) in zip(told, rows, strict=False):
        assert symbol == expected
        assert value == pytest.approx(float(amount), abs=0.5)
        assert weight == pytest.approx(abs(float(amount)) / gross * 100, abs=0.051)


def test_documents_are_found_and_shown(individual: httpx.Client, documents: list[str]) -> None:
    begun = conversation(individual, page_hint="holdings-test")
    rag = ask(individual, QUESTION, begun).one("start").data["rag"]
    assert rag["documents"] == len(rag["titles"]) == 3
    assert set(rag["titles"]) == set(documents)
    defined = ask(individual, "What does holdings mean?", begun)
    assert not defined.all("tool_call")
    assert any(title in defined.text for title in documents)


def test_the_first_token_takes_fewer_than_ten_statements(
    individual: httpx.Client, backend: Backend, documents: list[str]
) -> None:
    begun = conversation(individual, page_hint="holdings-test")
    ask(individual, QUESTION, begun)
    with backend.statements.counted() as sent:
        run = ask(individual, QUESTION, begun)
    assert run.one("start").data["rag"]["documents"] == 3
    saving = [sql for _, sql in sent if sql.startswith("UPDATE agent_messages")]
    assert len(saving) == 1
    before = [each for each in sent if each[1] not in saving]
    assert len(before) < 10, before
    assert {name for name, _ in before} == {"core", "ai"}


@pytest.mark.parametrize(
    ("question", "tools"),
    [
        ("Which portfolios do I have?", {"list_user_portfolios"}),
        ("What is my sector exposure?", {"get_sector_exposure"}),
        ("Show my factor betas", {"get_factor_exposures"}),
        ("How volatile is my portfolio?", {"get_volatility_analysis"}),
        ("Are my positions correlated?", {"get_correlation_matrix"}),
        ("Run the stress tests", {"get_stress_test_results"}),
        ("Am I too concentrated?", {"get_concentration_metrics"}),
        ("What is my net exposure and leverage?", {"get_analytics_overview"}),
        ("Profit by position, please", {"get_positions_details"}),
        ("How good is my data quality?", {"get_portfolio_data_quality"}),
        ("Which tags do I use?", {"get_position_tags"}),
        ("Biggest movers today?", {"get_daily_movers"}),
        ("Do I have price targets?", {"get_target_prices"}),
        ("price history of my stocks", {"get_prices_historical"}),
        ("factor etf prices", {"get_factor_etf_prices"}),
        ("What do AAPL and MSFT trade at? The price", {"get_current_quotes"}),
        ("Tell me about NVDA", {"get_company_profile"}),
        (
            "How risky is my portfolio?",
            {"get_stress_test_results", "get_concentration_metrics", "get_volatility_analysis"},
        ),
    ],
)
def test_questions_find_their_tools_and_get_figures(
    question: str, tools: set[str], hedge_fund: httpx.Client
) -> None:
    run = ask(hedge_fund, question)
    assert tools <= {event.data["tool_name"] for event in run.all("tool_call")}
    for result in run.all("tool_result"):
        assert "error" not in result.data["tool_result"], result.data
    assert "rule-based responder" in run.text
    if tools != {"get_target_prices"}:
        assert re.search(r"\d", run.text)


def test_a_question_that_no_rule_maps_is_answered_honestly(individual: httpx.Client) -> None:
    run = ask(individual, "Sing me a song")
    assert not run.all("tool_call")
    assert "cannot map" in run.text
    assert "- top holdings" in run.text
    assert "no language model" in run.text


def test_every_portfolio_of_several_is_told(book: OwnBook) -> None:
    book.daily_prices("CHATA", 3, close=10)
    names = ["First", "Second"]
    for name in names:
        book.position(book.portfolio(name=name), "CHATA", quantity=5)
    with book.client() as client:
        holdings = ask(client, QUESTION)
        volatility = ask(client, "How volatile am I?")
    result = holdings.all("tool_result")[-1].data["tool_result"]["data"]
    assert result["multi_portfolio"] is True
    assert len(result["portfolios"]) == 2
    for name in names:
        assert f"Top holdings of {name}" in holdings.text
        assert f"### {name}" in volatility.text


def test_a_mode_command_only_switches_the_mode(individual: httpx.Client, backend: Backend) -> None:
    begun = conversation(individual)
    run = ask(individual, "/mode indigo", begun)
    assert run.names == ["start", "message", "done"]
    assert run.one("start").data["mode"] == "indigo"
    assert run.one("message").data == {"delta": "Mode changed to indigo", "role": "system"}
    assert run.one("done").data["final_text"] == "Mode changed to indigo"
    assert stored(backend, begun)[0] == "indigo"
    refused = ask(individual, "/mode red", begun)
    assert refused.names == ["start", "message", "done"]
    assert "green, blue, indigo, violet" in refused.one("message").data["delta"]
    assert stored(backend, begun)[0] == "indigo"
    assert rows_of(backend, begun) == []


def test_the_message_can_move_the_conversation(individual: httpx.Client, backend: Backend) -> None:
    begun, mine = conversation(individual, page_hint="old"), portfolio_of(backend, INDIVIDUAL)
    shown = {"page_hint": "new", "portfolio_ids": [mine], "selection": {"symbol": "AAPL"}}
    start = ask(individual, QUESTION, begun, ui_context=shown).one("start").data
    assert (start["page_hint"], start["portfolio_ids"]) == ("new", [mine])
    kept = {"portfolio_id": None, "portfolio_ids": [mine], "page_hint": "new"}
    assert stored(backend, begun)[1] == kept


def test_the_message_cannot_move_it_to_anothers_portfolio(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, other = conversation(individual), portfolio_of(backend, HEDGE_FUND)
    body = {"conversation_id": begun, "text": QUESTION, "ui_context": {"portfolio_id": other}}
    response = individual.post(SEND, json=body)
    assert (response.status_code, response.json()) == (404, {"detail": "Portfolio not found"})
    assert rows_of(backend, begun) == []


@pytest.mark.parametrize(
    "metadata",
    ["null", "[]", '{"portfolio_id": 5, "portfolio_ids": "x"}', '{"portfolio_ids": [null, "x"]}'],
)
def test_a_context_that_another_backend_wrote_is_read_as_far_as_it_goes(
    metadata: str, individual: httpx.Client, backend: Backend
) -> None:
    begun = conversation(individual)
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "UPDATE agent_conversations SET metadata = %s::jsonb WHERE id = %s", [metadata, begun]
        )
    run = ask(individual, QUESTION, begun)
    assert run.one("start").data["portfolio_id"] is None
    assert "Top holdings of Demo Individual" in run.text


def test_a_foreign_portfolio_in_a_stored_context_is_forgotten(
    individual: httpx.Client, backend: Backend
) -> None:
    begun, other = conversation(individual), portfolio_of(backend, HEDGE_FUND)
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "UPDATE agent_conversations SET metadata = %s WHERE id = %s",
            [Jsonb({"portfolio_id": other}), begun],
        )
    run = ask(individual, QUESTION, begun)
    assert run.one("start").data["portfolio_id"] is None
    assert "Hedge Fund" not in run.text


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},
        {"text": "x" * 4001},
        {"text": "nul\0"},
        {"text": None},
        {"conversation_id": "x"},
        {"ui_context": {"selection": {"symbol": "x" * 4_000}}},
        {"ui_context": {"portfolio_ids": ["x"]}},
        {"ui_context": []},
    ],
)
def test_a_message_out_of_bounds_is_refused(
    change: dict[str, Any], individual: httpx.Client
) -> None:
    body = {"conversation_id": str(uuid4()), "text": QUESTION, **change}
    assert individual.post(SEND, json=body).status_code == 422


def test_the_longest_message_is_taken(individual: httpx.Client, backend: Backend) -> None:
    begun = conversation(individual)
    assert ask(individual, "ä" * 4000, begun).names[-1] == "done"
    assert rows_of(backend, begun)[0][2] == "ä" * 4000
