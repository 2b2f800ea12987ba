"""The documents of the knowledge base, the formatting of what was found, and rules from edits."""

import asyncio
import json
import math
import re
from collections import Counter
from uuid import UUID, uuid4

import httpx
import pytest

from app.agent import embeddings
from app.agent.embeddings import DIMENSIONS, LOCAL_MODEL, EmbeddingError, embed, embedding_model
from app.agent.knowledge.documents import BuiltinDocument, builtin_documents
from app.agent.services.feedback_rules import Rated, patterns, rule_from_edit
from app.agent.services.rag_service import Document, conversation_scopes, format_documents

TOOLS = [
    "list_user_portfolios",
    "get_portfolio_complete",
    "get_positions_details",
    "get_portfolio_data_quality",
    "get_prices_historical",
    "get_current_quotes",
    "get_factor_etf_prices",
    "get_analytics_overview",
    "get_factor_exposures",
    "get_sector_exposure",
    "get_correlation_matrix",
    "get_stress_test_results",
    "get_concentration_metrics",
    "get_volatility_analysis",
    "get_company_profile",
    "get_target_prices",
    "get_position_tags",
    "get_daily_movers",
]
KEYS = {"tool_doc": "tool_name", "domain_primer": "topic", "faq": "question_type"}


def test_there_are_documents_of_each_kind_and_of_every_tool() -> None:
    kinds = Counter(document.metadata["type"] for document in builtin_documents())
    assert kinds.keys() == KEYS.keys()
    assert kinds.total() >= 34
    tools = [
        document.metadata["tool_name"]
        for document in builtin_documents()
        if document.metadata["type"] == "tool_doc"
    ]
    assert tools == TOOLS


def test_ids_and_titles_are_unique_and_ids_do_not_change() -> None:
    documents = builtin_documents()
    assert len({document.id for document in documents}) == len(documents)
    assert len({document.title for document in documents}) == len(documents)
    assert documents[0].id == UUID("a6705633-f3dc-5385-8d8b-37fdc7936128")


@pytest.mark.parametrize("document", builtin_documents(), ids=lambda document: document.title)
def test_a_document_is_as_the_contract_has_it(document: BuiltinDocument) -> None:
    metadata = document.metadata
    assert metadata.keys() == {"type", KEYS[metadata["type"]], "seed"}
    assert document.scope == "global"
    assert 300 <= len(document.content) <= 1500
    assert len(document.title) <= 500


def test_a_question_or_primer_names_only_tools_that_exist() -> None:
    named = {
        name
        for document in builtin_documents()
        for name in re.findall(r"\b(?:get|list)_[a-z_]+", document.content)
    }
    assert named <= set(TOOLS)


# Scopes and formatting.


def test_scopes_of_a_conversation() -> None:
    one, two = uuid4(), uuid4()
    assert conversation_scopes([one, two, one], "risk", "/portfolio/risk") == [
        "global",
        "feedback:positive_example",
        f"portfolio:{one}",
        f"portfolio:{two}",
        "page:risk",
        "route:/portfolio/risk",
    ]
    assert conversation_scopes([], None, "") == ["global", "feedback:positive_example"]


def test_documents_are_numbered_and_none_is_repeated() -> None:
    first = Document(uuid4(), "global", "Beta", "about beta", 0.9)
    same_title = Document(uuid4(), "page:x", "Beta", "again", 0.8)
    second = Document(uuid4(), "global", "HHI", "about HHI", 0.7)
    text = format_documents([first, first, same_title, second])
    assert text == "1. Beta\nabout beta\n\n2. HHI\nabout HHI"
    assert format_documents([]) == ""


def test_formatted_documents_end_at_4000_characters() -> None:
    long = [Document(uuid4(), "global", f"T{n}", "x" * 1900, 0.5) for n in range(3)]
    assert len(format_documents(long)) == 4000


# Embeddings.


def _cosine(one: list[float], other: list[float]) -> float:
    return (
        sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)
    )


def _run(texts: list[str]) -> list[list[float]]:
    return asyncio.run(embed(texts))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_BASE_URL", "LLM_EMBEDDING_MODEL", "LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_without_an_endpoint_texts_are_embedded_here() -> None:
    beta, market, cooking, empty = _run(
        ["What is my beta?", "sensitivity to the market", "a recipe for soup", ""]
    )
    assert embedding_model() == LOCAL_MODEL
    assert len(beta) == len(empty) == DIMENSIONS
    assert math.isclose(math.hypot(*beta), 1, abs_tol=1e-5)
    assert _cosine(beta, market) > _cosine(beta, cooking)
    assert not any(empty)
    assert _run([]) == []


@pytest.mark.usefixtures("offline")
def test_vectors_that_are_stored_stay_valid() -> None:
    """The figures are those that wordllama 0.4.0 gave, under the same name of the model."""
    [beta] = _run(["What is my beta?"])
    assert [round(number, 6) for number in beta[:3]] == [-0.007845, -0.096766, 0.067622]
    assert not any(beta[256:])


class Endpoint:
    """An embedding endpoint in memory: answers what it is told, one answer a request."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[dict[str, object]] = []
        self.answers: list[httpx.Response | Exception] = []
        monkeypatch.setenv("LLM_BASE_URL", "http://model.test/v1/")
        monkeypatch.setenv("LLM_EMBEDDING_MODEL", "embedder")
        monkeypatch.setenv("LLM_API_KEY", "a key")
        monkeypatch.setattr(embeddings, "_FIRST_PAUSE_SECONDS", 0)
        transport, client = httpx.MockTransport(self.answer), httpx.AsyncClient
        monkeypatch.setattr(
            httpx, "AsyncClient", lambda **given: client(**{**given, "transport": transport})
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://model.test/v1/embeddings"
        assert request.headers["Authorization"] == "Bearer a key"
        sent = json.loads(request.content)
        self.requests.append(sent)
        if self.answers:
            told = self.answers.pop(0)
            if isinstance(told, Exception):
                raise told
            return told
        return vectors_of(len(sent["input"]))


def vectors_of(count: int, width: int = DIMENSIONS) -> httpx.Response:
    """`count` vectors, each beginning with its place, in reverse order."""
    data = [{"index": n, "embedding": [float(n), *[1.0] * (width - 1)]} for n in range(count)]
    return httpx.Response(200, json={"data": data[::-1]})


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    return Endpoint(monkeypatch)


def test_an_endpoint_is_asked_in_batches_and_answers_in_order(endpoint: Endpoint) -> None:
    found = _run([f"text {n}" for n in range(70)])
    assert embedding_model() == "embedder"
    assert [len(sent["input"]) for sent in endpoint.requests] == [64, 6]  # type: ignore[arg-type]
    assert {sent["model"] for sent in endpoint.requests} == {"embedder"}
    assert [vector[0] for vector in found] == [float(n) for n in [*range(64), *range(6)]]


@pytest.mark.parametrize(
    "fault", [httpx.Response(503), httpx.Response(429), httpx.ConnectError("no")], ids=str
)
def test_what_may_pass_is_tried_again(endpoint: Endpoint, fault: httpx.Response) -> None:
    endpoint.answers = [fault]
    assert len(_run(["text"])) == 1
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("answers", "requests", "says"),
    [
        ([httpx.Response(500)] * 3, 3, "status 500"),
        ([httpx.ReadTimeout("slow")] * 3, 3, "ReadTimeout"),
        ([httpx.Response(401)], 1, "status 401"),
        ([httpx.Response(200, text="<html>")], 1, "not answer with embeddings"),
        ([httpx.Response(200, json={"data": [{"index": 0}]})], 1, "not answer with embeddings"),
        ([vectors_of(1, width=3072)], 1, "3,072 dimensions; 1,536 are needed"),
        ([vectors_of(2)], 1, "2 vectors of 1"),
    ],
)
def test_an_unusable_answer_is_refused_in_one_line(
    endpoint: Endpoint, answers: list[httpx.Response], requests: int, says: str
) -> None:
    endpoint.answers = list(answers)
    with pytest.raises(EmbeddingError, match=says) as refused:
        _run(["text"])
    assert len(endpoint.requests) == requests
    assert "\n" not in str(refused.value)


# Rules.


@pytest.mark.parametrize(
    ("answer", "edited", "category", "says"),
    [
        ("word " * 100, "word " * 30, "communication_style", "shorter"),
        ("word " * 10, "word " * 30, "communication_style", "more detailed"),
        ("a and b and c", "- a\n- b\n- c", "format", "lists to running text"),
        ("1. a\n2. b\n3. c", "a and b and c.", "format", "running text to lists"),
        ("a 1, b 2 and more", "| a | 1 |\n| b | 2 |", "format", "in a table"),
        ("The beta is 1.2.", "The beta is 1.1.", "content", "The beta is 1.1."),
        ("", "Something.", "communication_style", "more detailed"),
    ],
)
def test_a_rule_names_what_the_edit_changed(
    answer: str, edited: str, category: str, says: str
) -> None:
    rule = rule_from_edit(answer, edited, None)
    assert rule.category == category
    assert says in rule.content
    assert 0 < rule.confidence < 1


def test_a_comment_is_quoted_on_one_line_and_adds_confidence() -> None:
    plain = rule_from_edit("The beta is 1.2.", "The beta is 1.1.", " \n ")
    said = rule_from_edit("The beta is 1.2.", "The beta is 1.1.", "use\nour own beta")
    assert '"use our own beta"' in said.content
    assert said.confidence > plain.confidence
    assert len(rule_from_edit("a" * 9000, "b" * 9000, "c" * 9000).content) < 700


def test_patterns_need_three_ratings_that_agree() -> None:
    answer = "Your volatility is 16 % a year, which is about one percent a day. " * 3
    shorter = Rated("down", answer, answer[:40])
    assert patterns([shorter] * 2, 0) == []
    found = {rule.category: rule for rule in patterns([shorter] * 3, 0.5)}
    assert found["communication_style"].evidence_count == 3
    assert "shorter" in found["communication_style"].content
    assert "risk and volatility" in found["topic_preference"].content
    assert "Is rarely content" in found["topic_preference"].content
    assert patterns([shorter] * 3, 0.95) == []
    mixed = [shorter, Rated("up", answer), Rated("up", answer), Rated("down", answer)]
    assert patterns(mixed, 0) == []
