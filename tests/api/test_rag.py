"""Retrieval: the documents nearest to a question, in the scopes of a conversation."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.agent.embeddings import DIMENSIONS, LOCAL_MODEL
from app.agent.services import rag_service
from app.agent.services.rag_service import POSITIVE_EXAMPLE_SCOPE, Document
from app.sql_files import statement
from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from ops.knowledge import seed_knowledge_base
from tests.api.backend import Statements
from tests.databases import NewDatabase, create_database
from tests.groups import soaked

T = TypeVar("T")

# The question's own direction, and directions that lean away from it by a growing part.
QUESTION = [1.0, *[0.0] * (DIMENSIONS - 1)]
CROWD = 3_000
_FILL = """
INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding)
SELECT
    CASE WHEN n <= %(rare)s THEN 'portfolio:rare' ELSE 'global' END,
    'D' || n,
    'content',
    jsonb_build_object('embedding_model', %(model)s::text),
    ('[1,' || CASE WHEN n <= %(rare)s THEN 5 + n / 10.0 ELSE n / 10000.0 END || ','
        || array_to_string(array_fill(0, ARRAY[%(rest)s]), ',') || ']')::vector
FROM generate_series(1, %(rare)s + %(crowd)s) AS n
"""


def in_session(url: URL, work: Callable[[AsyncSession], Awaitable[T]], options: str = "") -> T:
    async def run() -> T:
        engine = create_async_engine(url, poolclass=NullPool, connect_args={"options": options})
        async with AsyncSession(engine) as ai:
            return await work(ai)

    return asyncio.run(run())


def execute(url: URL, command: str, values: dict[str, Any] | None = None) -> None:
    with connect(url, application_name="tests") as database:
        database.execute(command.encode(), values)


def nearest(
    url: URL, scopes: Sequence[str], *, user_id: UUID | None = None, options: str = ""
) -> list[Document]:
    return in_session(
        url,
        lambda ai: rag_service.nearest(
            ai, QUESTION, scopes, limit=3, model=LOCAL_MODEL, user_id=user_id
        ),
        options,
    )


@pytest.fixture(scope="module")
def crowded_template(server: EmbeddedServer, ai_template: str) -> str:
    """Thousands of documents nearer to the question than the five of the rare scope."""
    index, url = "ix_ai_kb_documents_embedding_hnsw", create_database(server, ai_template)
    with connect(url, application_name="tests", autocommit=True) as database:
        definition = database.execute("SELECT pg_get_indexdef(%s::regclass)", [index]).fetchone()
        assert definition is not None
        database.execute(f"DROP INDEX {index}".encode())
        values = {"rare": 5, "crowd": CROWD, "model": LOCAL_MODEL, "rest": DIMENSIONS - 2}
        database.execute(_FILL.encode(), values)
        database.execute("SET maintenance_work_mem = '256MB'")
        database.execute(definition[0].encode())
        database.execute("VACUUM ANALYZE ai_kb_documents")
    return str(url.database)


@pytest.fixture
def crowded(new_database: NewDatabase, crowded_template: str) -> URL:
    return new_database(crowded_template)


THROUGH_THE_INDEX = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off"
OLD = "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
NO_SCOPE_INDEX = "DROP INDEX ix_ai_kb_documents_scope"


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ([], ""),
        ([NO_SCOPE_INDEX], THROUGH_THE_INDEX),
        *soaked(([OLD], ""), ([OLD, NO_SCOPE_INDEX], THROUGH_THE_INDEX)),
    ],
    ids=["as the planner likes", "through the vectors", "older extension", "older, vectors"],
)
def test_a_rare_scope_behind_thousands_of_nearer_documents_gives_all_that_are_asked_for(
    crowded: URL, changes: list[str], options: str
) -> None:
    for change in changes:
        execute(crowded, change)
    found = nearest(crowded, ["portfolio:rare"], options=options)
    assert [document.title for document in found] == ["D1", "D2", "D3"]
    among_all = nearest(crowded, ["global", "portfolio:rare"], options=options)
    assert [document.title for document in among_all] == ["D6", "D7", "D8"]


@pytest.mark.parametrize(
    ("scopes", "uses_vectors"), [(["global"], True), (["portfolio:rare"], False)]
)
def test_a_common_scope_is_searched_through_the_vectors_and_a_rare_one_by_its_own_index(
    crowded: URL, scopes: list[str], uses_vectors: bool
) -> None:
    values = {
        "vector": str(QUESTION),
        "scopes": scopes,
        "model": LOCAL_MODEL,
        "unnamed_model": "x",
        "example_scope": POSITIVE_EXAMPLE_SCOPE,
        "user_id": None,
        "limit": 3,
    }
    explained = text(f"EXPLAIN {statement('agent/services/search')}")
    engine = create_engine(crowded, poolclass=NullPool)
    with engine.connect() as database:
        database.execute(
            statement("agent/services/search_settings"), {"ef_search": rag_service.EF_SEARCH}
        )
        plan = "\n".join(database.execute(explained, values).scalars())
    assert ("ix_ai_kb_documents_embedding_hnsw" in plan) == uses_vectors
    assert ("ix_ai_kb_documents_scope" in plan) != uses_vectors


def test_fewer_documents_than_asked_for_are_no_error(ai_url: URL) -> None:
    assert nearest(ai_url, ["global"]) == []
    values = {"rare": 2, "crowd": 0, "model": LOCAL_MODEL, "rest": DIMENSIONS - 2}
    execute(ai_url, _FILL, values)
    assert [each.title for each in nearest(ai_url, ["global", "portfolio:rare"])] == ["D1", "D2"]
    assert nearest(ai_url, ["global"]) == []
    assert nearest(ai_url, []) == []


def test_similarity_is_the_cosine(ai_url: URL) -> None:
    values = {"rare": 1, "crowd": 0, "model": LOCAL_MODEL, "rest": DIMENSIONS - 2}
    execute(ai_url, _FILL, values)
    [found] = nearest(ai_url, ["portfolio:rare"])
    assert found.similarity == pytest.approx(1 / (1 + 5.1**2) ** 0.5, abs=1e-6)


def test_settings_of_a_search_end_with_its_transaction(ai_url: URL) -> None:
    names = ("hnsw.iterative_scan", "hnsw.ef_search", "enable_indexscan", "cpu_operator_cost")
    shown = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))

    async def run() -> list[tuple[str, ...]]:
        engine = create_async_engine(ai_url, poolclass=NullPool)
        async with engine.connect() as connection, AsyncSession(connection) as ai:
            await rag_service.nearest(ai, QUESTION, ["global"], limit=3, model=LOCAL_MODEL)
            during = tuple((await ai.execute(shown)).one())
            await ai.rollback()
            return [during, tuple((await ai.execute(shown)).one())]

    during, after = asyncio.run(run())
    assert during == ("strict_order", str(rag_service.EF_SEARCH), "off", "0.25")
    assert after == ("off", "40", "on", "0.0025")


# Questions about real documents.


@pytest.fixture(scope="module")
def questions() -> dict[str, str]:
    """A question and what a document that answers it is about."""
    return {
        "What are my top holdings?": "top_holdings",
        "How concentrated am I, what is the HHI?": "hhi_concentration",
        "What does the ridge regression do?": "ridge_regression",
        "what happens if the market falls 20 %": "market_drop",
        "how do interest rates affect me": "rates",
        "Which tool shows daily movers?": "get_daily_movers",
        "why are short positions negative": "short_positions",
        "should I sell Apple": "no_advice",
        "what is the option multiplier": "option_multiplier",
        "stress test scenarios": "stress_scenarios",
    }


def test_questions_find_their_documents(ai_url: URL, questions: dict[str, str]) -> None:
    seed_knowledge_base(ai_url)
    keys = {}
    with connect(ai_url, application_name="tests") as database:
        for id_, metadata in database.execute("SELECT id, metadata FROM ai_kb_documents"):
            names = ("tool_name", "topic", "question_type")
            keys[id_] = next(metadata[name] for name in names if name in metadata)

    async def work(ai: AsyncSession) -> dict[str, list[str]]:
        return {
            question: [
                keys[found.id] for found in await rag_service.retrieve(ai, question, ["global"])
            ]
            for question in questions
        }

    found = in_session(ai_url, work)
    assert all(len(keys) == 3 for keys in found.values())
    missed = {
        question: found[question]
        for question, key in questions.items()
        if key not in found[question]
    }
    assert missed == {}


def test_an_empty_question_finds_nothing(ai_url: URL) -> None:
    seed_knowledge_base(ai_url)
    assert in_session(ai_url, lambda ai: rag_service.retrieve(ai, "", ["global"])) == []


def test_why_a_vector_of_zeros_is_passed_over(ai_url: URL) -> None:
    """pgvector 0.8.5: its distance is NaN, which sorts behind all others and is found; its index
    leaves it out. Where this fails, the search may stop to look for NaN."""
    execute(
        ai_url,
        "INSERT INTO ai_kb_documents (scope, title, content, embedding)"
        " VALUES ('global', 'z', 'z', array_fill(0, ARRAY[1536])::vector)",
    )
    ask = "SELECT (embedding <=> array_fill(1, ARRAY[1536])::vector)::text FROM ai_kb_documents"
    with connect(ai_url, application_name="tests") as database:
        assert database.execute(ask.encode()).fetchall() == [("NaN",)]
        database.execute("SET enable_seqscan = off; SET enable_sort = off")
        assert (
            database.execute(
                f"{ask} ORDER BY embedding <=> array_fill(1, ARRAY[1536])::vector".encode()
            ).fetchall()
            == []
        )


# Whose documents.


def test_examples_are_their_users_own(ai_url: URL) -> None:
    mine, other = uuid4(), uuid4()
    for user in (mine, other):
        execute(
            ai_url,
            "INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding) VALUES"
            " (%(scope)s, %(user)s::varchar, 'x', jsonb_build_object("
            "'embedding_model', %(model)s::text, 'user_id', %(user)s::varchar),"
            " array_fill(0.1::real, ARRAY[1536])::vector)",
            {"scope": POSITIVE_EXAMPLE_SCOPE, "user": str(user), "model": LOCAL_MODEL},
        )
    scopes = rag_service.conversation_scopes([], None, None)
    assert [each.title for each in nearest(ai_url, scopes, user_id=mine)] == [str(mine)]
    assert [each.title for each in nearest(ai_url, scopes, user_id=other)] == [str(other)]
    assert nearest(ai_url, scopes) == []
    assert nearest(ai_url, ["global"], user_id=mine) == []


# The guard of all tests of the API.


@pytest.mark.parametrize(
    ("engine", "stray"),
    [("core", "SELECT count(*) FROM ai_memories"), ("ai", "SELECT count(*) FROM users")],
)
def test_the_guard_notices_a_statement_for_the_other_database(
    core_url: URL, ai_url: URL, engine: str, stray: str
) -> None:
    own = {"core": "SELECT count(*) FROM users", "ai": "SELECT count(*) FROM ai_memories"}
    guard = Statements()
    database = create_engine(core_url if engine == "core" else ai_url, poolclass=NullPool)
    guard.listen(engine, database)
    with database.connect() as connection:
        connection.execute(text(own[engine]))
        assert guard.strays == []
        with pytest.raises(Exception, match="does not exist"):
            connection.execute(text(stray))
    assert guard.strays == [(engine, stray)]
    database.dispose()
