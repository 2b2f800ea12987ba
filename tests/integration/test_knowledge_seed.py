"""Seeding the knowledge base: once, whoever does it and how often, and only where it is ours."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.agent.embeddings import DIMENSIONS, LOCAL_MODEL
from app.agent.knowledge.documents import builtin_documents
from app.agent.services import knowledge_seed, rag_service
from ops.connection import connect
from ops.errors import ConfigurationError, DatabaseUnavailableError, WrongDatabaseError
from ops.knowledge import seed_knowledge_base
from ops.migrate import upgrade
from tests.acceptance.scene import fingerprint

T = TypeVar("T")
DOCUMENTS = len(builtin_documents())
VECTOR = f"array_fill(0.1::real, ARRAY[{DIMENSIONS}])::vector"


def query(url: URL, statement: str) -> list[tuple[Any, ...]]:
    with connect(url, application_name="tests") as database:
        return database.execute(statement.encode()).fetchall()


def execute(url: URL, statement: str) -> None:
    with connect(url, application_name="tests") as database:
        database.execute(statement.encode())


def in_session(url: URL, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """What `work` returns in a session of its own, as the backend opens one."""

    async def run() -> T:
        engine = create_async_engine(url, poolclass=NullPool)
        async with AsyncSession(engine) as ai:
            return await work(ai)

    return asyncio.run(run())


def by_backend(url: URL) -> int:
    return in_session(url, rag_service.seed_knowledge_base)


SEEDERS = [seed_knowledge_base, by_backend]


def stored(url: URL) -> list[tuple[Any, ...]]:
    """Every document with its transaction, so that a rewritten row is seen too."""
    return query(url, "SELECT id, xmin::text, d::text FROM ai_kb_documents AS d ORDER BY id")


@pytest.mark.parametrize("seed", SEEDERS)
def test_an_empty_knowledge_base_gets_every_document_with_its_vector_once_whoever_seeds(
    ai_url: URL, seed: Callable[[URL], int]
) -> None:
    assert seed(ai_url) == DOCUMENTS
    rows = query(
        ai_url, "SELECT id, scope, title, content, metadata, embedding FROM ai_kb_documents"
    )
    found = {row[0]: row[1:5] for row in rows}
    assert found == {
        each.id: (
            each.scope,
            each.title,
            each.content,
            {**each.metadata, "embedding_model": LOCAL_MODEL},
        )
        for each in builtin_documents()
    }
    assert all(row[5] is not None for row in rows)
    before = stored(ai_url)
    assert [again(ai_url) for again in SEEDERS] == [0, 0]
    assert stored(ai_url) == before


def test_two_that_seed_at_once_store_each_document_once(ai_url: URL) -> None:
    seeders = [*SEEDERS] * 3
    with ThreadPoolExecutor(len(seeders)) as pool:
        written = list(pool.map(lambda seed: seed(ai_url), seeders))
    assert len(stored(ai_url)) == DOCUMENTS
    assert sum(written) == DOCUMENTS
    assert query(ai_url, "SELECT max(updated_at) = max(created_at) FROM ai_kb_documents")


def test_what_was_changed_is_mended_and_what_left_the_set_goes(ai_url: URL) -> None:
    seed_knowledge_base(ai_url)
    changed = builtin_documents()[3]
    execute(
        ai_url,
        f"UPDATE ai_kb_documents SET content = 'nonsense' WHERE id = '{changed.id}';"
        f"UPDATE ai_kb_documents SET embedding = NULL WHERE id = '{builtin_documents()[4].id}';"
        "INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding) VALUES"
        f" ('global', 'Former', 'x', '{{\"seed\": \"builtin\"}}', {VECTOR}),"
        f" ('global', 'Foreign', 'x', '{{\"embedding_model\": \"{LOCAL_MODEL}\"}}', {VECTOR})",
    )
    assert seed_knowledge_base(ai_url) == 3
    titles = {row[0] for row in query(ai_url, "SELECT title FROM ai_kb_documents")}
    assert titles == {*(each.title for each in builtin_documents()), "Foreign"}
    content = query(ai_url, f"SELECT content FROM ai_kb_documents WHERE id = '{changed.id}'")
    assert content == [(changed.content,)]
    assert query(ai_url, "SELECT count(*) FROM ai_kb_documents WHERE embedding IS NULL") == [(0,)]


def test_a_document_that_lost_our_mark_is_its_editors(ai_url: URL) -> None:
    seed_knowledge_base(ai_url)
    own = builtin_documents()[3].id
    execute(
        ai_url,
        "UPDATE ai_kb_documents SET content = 'Ours.', metadata = metadata - 'seed'"
        f" WHERE id = '{own}'",
    )
    assert seed_knowledge_base(ai_url) == 0
    content = query(ai_url, f"SELECT content FROM ai_kb_documents WHERE id = '{own}'")
    assert content == [("Ours.",)]


def test_another_model_embeds_everything_again_and_only_its_vectors_are_compared(
    ai_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_knowledge_base(ai_url)
    own = "INSERT INTO ai_kb_documents (scope, title, content, embedding)"
    execute(
        ai_url, f"{own} SELECT 'global', 'Own ' || n, 'x', {VECTOR} FROM generate_series(1, 3) n"
    )
    execute(ai_url, "UPDATE ai_kb_documents SET metadata = '[]' WHERE title = 'Own 3'")

    async def embedded(texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), *[1.0] * (DIMENSIONS - 1)] for text in texts]

    def found() -> list[rag_service.Document]:
        vector = [100.0, *[1.0] * (DIMENSIONS - 1)]
        return in_session(
            ai_url,
            lambda ai: rag_service.nearest(ai, vector, ["global"], limit=3, model="another"),
        )

    assert found() == []
    for module in (knowledge_seed, rag_service):
        monkeypatch.setattr(module, "embedding_model", lambda: "another")
        monkeypatch.setattr(module, "embed", embedded)
    assert by_backend(ai_url) == DOCUMENTS, "a start embeds its own documents alone"
    assert seed_knowledge_base(ai_url) == 2, "what cannot name a model keeps its vector"
    models = query(
        ai_url,
        "SELECT DISTINCT metadata ->> 'embedding_model' FROM ai_kb_documents"
        " WHERE metadata <> '[]'",
    )
    assert models == [("another",)]
    assert len(found()) == 3
    assert by_backend(ai_url) == 0


def test_documents_without_a_models_name_are_the_originals(ai_url: URL) -> None:
    execute(
        ai_url,
        "INSERT INTO ai_kb_documents (scope, title, content, embedding)"
        f" VALUES ('global', 'Old', 'x', {VECTOR})",
    )
    vector = [0.1] * DIMENSIONS

    def titles(model: str) -> list[str]:
        found = in_session(
            ai_url,
            lambda ai: rag_service.nearest(ai, vector, ["global"], limit=3, model=model),
        )
        return [document.title for document in found]

    assert titles("text-embedding-3-small") == ["Old"]
    assert titles(LOCAL_MODEL) == []


# Databases that are not ours.


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE alembic_version SET version_num = '19c513d3bf90'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "DROP TABLE ai_kb_documents",
    ],
)
def test_a_database_that_our_chain_did_not_make_is_left_alone(ai_url: URL, damage: str) -> None:
    execute(ai_url, damage)
    before = fingerprint(ai_url)
    assert by_backend(ai_url) == 0
    with pytest.raises(WrongDatabaseError, match="AI_DATABASE_URL"):
        seed_knowledge_base(ai_url)
    if "ai_kb_documents" not in damage:
        assert query(ai_url, "SELECT count(*) FROM ai_kb_documents") == [(0,)]
    assert fingerprint(ai_url) == before


def test_core_has_no_knowledge_base(core_url: URL) -> None:
    assert by_backend(core_url) == 0


def test_a_shared_database_has_one(core_url: URL) -> None:
    execute(core_url, "DROP SCHEMA ops CASCADE")
    upgrade("ai", core_url, shared=True)
    assert by_backend(core_url) == DOCUMENTS
    assert seed_knowledge_base(core_url) == 0


def test_no_server_and_no_endpoint_are_one_line_each(
    ai_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseUnavailableError):
        seed_knowledge_base(ai_url.set(port=1))
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LLM_EMBEDDING_MODEL", "embedder")
    with pytest.raises(ConfigurationError, match="LLM_EMBEDDING_MODEL"):
        seed_knowledge_base(ai_url)
    assert query(ai_url, "SELECT count(*) FROM ai_kb_documents") == [(0,)]


# Documents of others.


async def _written(ai: AsyncSession, **changes: Any) -> UUID:
    given = {"scope": "page:risk", "title": "Note", "content": "about risk", "metadata": {"a": 1}}
    return await rag_service.upsert_document(ai, **{**given, **changes})


def test_a_document_is_updated_by_scope_and_title_or_by_its_id(ai_url: URL) -> None:
    async def work(ai: AsyncSession) -> None:
        first = await _written(ai)
        assert await _written(ai, content="other words") == first
        elsewhere = await _written(ai, scope="page:home")
        assert elsewhere != first
        assert await _written(ai, document_id=first, title="Renamed", metadata={}) == first
        renamed = await rag_service.get_document(ai, first)
        assert renamed is not None
        assert (renamed["title"], renamed["content"]) == ("Renamed", "about risk")
        assert renamed["metadata"] == {"embedding_model": LOCAL_MODEL}
        assert renamed["updated_at"] > renamed["created_at"]
        listed = await rag_service.list_documents(ai)
        assert [row["id"] for row in listed] == [str(elsewhere), str(first)]
        assert await rag_service.list_documents(ai, scope="page:home") == listed[:1]
        assert await rag_service.list_documents(ai, offset=1, limit=1) == listed[1:]
        assert await rag_service.count_documents(ai) == 2
        assert await rag_service.count_documents(ai, "page:risk") == 1
        assert await rag_service.delete_document(ai, first)
        assert not await rag_service.delete_document(ai, first)
        assert await rag_service.get_document(ai, first) is None

    in_session(ai_url, work)


def test_the_same_document_written_by_many_at_once_is_one(ai_url: URL) -> None:
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda _: in_session(ai_url, _written), range(12)))
    assert Counter(ids) == {ids[0]: 12}
    assert query(ai_url, "SELECT count(*) FROM ai_kb_documents") == [(1,)]


def test_the_list_has_the_newest_hundred(ai_url: URL) -> None:
    execute(
        ai_url,
        "INSERT INTO ai_kb_documents (scope, title, content, created_at)"
        " SELECT 'global', n, 'x', timestamptz '2025-01-01' + n * interval '1 s'"
        " FROM generate_series(1, 120) AS n",
    )
    listed = in_session(ai_url, rag_service.list_documents)
    assert [row["title"] for row in listed] == [str(n) for n in range(120, 20, -1)]
