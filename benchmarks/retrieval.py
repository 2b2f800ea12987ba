"""Retrieval from 50,000 documents against an exact search: what the index finds, and how fast."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from app.agent.embeddings import DIMENSIONS
from app.agent.services import rag_service
from app.sql_files import statement
from benchmarks.throwaway import databases
from ops.connection import connect
from ops.migrate import upgrade

DOCUMENTS, QUERIES, FOUND = 50_000, 200, 10
# Of the exact search only so many queries are timed: each reads every vector.
EXACT_QUERIES = 20
# The first document of each scope.
SCOPES = {"portfolio:a": 0, "portfolio:b": 500, "global": 5_500}
SEARCHED = {
    "all scopes": ["portfolio:a", "portfolio:b", "global"],
    "a scope of 10 %": ["portfolio:b"],
    "a scope of 1 %": ["portfolio:a"],
}
MODEL = "benchmark"

_INDEX = "ix_ai_kb_documents_embedding_hnsw"
_TOPICS, _LATENT = 500, 128

Matrix = NDArray[np.float32]
Search = Callable[[AsyncSession, Sequence[float], list[str]], Awaitable[list[str]]]


def run() -> list[dict[str, Any]]:
    """Recall@10 of 200 queries and the median time of one, over all documents and over few. The
    peer is the same statement without the index; the ratio is its time to ours."""
    vectors, queries = _vectors(np.random.default_rng(7))
    with databases("ai") as urls:
        upgrade("ai", urls["ai"])
        build_seconds = _fill(urls["ai"], vectors)
        measured = asyncio.run(_measure(urls["ai"], vectors, queries))
    return [{**line, "index_build_seconds": build_seconds} for line in measured]


def _vectors(random: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Unit vectors of documents and of queries on the same topics.

    Like those of language: gathered in topics, most of the variance in few directions, some noise
    in all of them.
    """
    spectrum = np.arange(1, _LATENT + 1) ** -0.5
    topics = random.normal(size=(_TOPICS, _LATENT)) * spectrum
    axes = np.linalg.qr(random.normal(size=(DIMENSIONS, _LATENT)))[0].T
    count = DOCUMENTS + QUERIES
    latent = topics[random.integers(_TOPICS, size=count)]
    latent = latent + 0.6 * random.normal(size=latent.shape) * spectrum
    whole = (latent @ axes).astype(np.float32)
    whole += 0.01 * random.standard_normal(whole.shape, dtype=np.float32)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    return whole[:DOCUMENTS], whole[DOCUMENTS:]


# The table.


def _fill(ai: URL, vectors: Matrix) -> float:
    """Load the documents, build the chain's own index over them; the seconds of the latter."""
    with connect(ai, application_name="benchmark", autocommit=True) as connection:
        definition = connection.execute("SELECT pg_get_indexdef(%s::regclass)", [_INDEX]).fetchone()
        connection.execute(f"DROP INDEX {_INDEX}".encode())
        for scope, documents in _members().items():
            _copy(connection, scope, documents.start, vectors[documents])
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("SET max_parallel_maintenance_workers = 2")
        started = time.perf_counter()
        connection.execute(str(definition[0] if definition else "").encode())
        seconds = time.perf_counter() - started
        connection.execute("VACUUM ANALYZE ai_kb_documents")
    return round(seconds, 1)


def _members() -> dict[str, slice]:
    """Which documents a scope holds."""
    starts = [*SCOPES.values(), DOCUMENTS]
    return {name: slice(*starts[n : n + 2]) for n, name in enumerate(SCOPES)}


def _copy(connection: psycopg.Connection, scope: str, first: int, vectors: Matrix) -> None:
    """Binary COPY: the rows of a scope differ in their title, which is their number, and vector."""
    before = _field(scope.encode())
    metadata = b"\x01" + json.dumps({"embedding_model": MODEL}).encode()
    after = _field(b"content") + _field(metadata)
    after += (4 + 4 * DIMENSIONS).to_bytes(4, "big") + DIMENSIONS.to_bytes(2, "big") + bytes(2)
    with connection.cursor().copy(
        "COPY ai_kb_documents (scope, title, content, metadata, embedding) "
        "FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for number, vector in enumerate(vectors.astype(">f4"), first):
            title = _field(str(number).encode())
            copy.write((5).to_bytes(2, "big") + before + title + after + vector.tobytes())
        copy.write(b"\xff\xff")


def _field(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


# The searches.


async def _measure(ai_url: URL, vectors: Matrix, queries: Matrix) -> list[dict[str, Any]]:
    engine = create_async_engine(ai_url, pool_size=1)
    lines = []
    for name, scopes in SEARCHED.items():
        wanted = _wanted(vectors, queries, scopes)
        # Exact first: it warms the cache for both.
        exact, peer = await _timed(engine, _exact, queries[:EXACT_QUERIES], scopes)
        if _recall(wanted, exact) < 1:
            raise RuntimeError("the exact search does not find what arithmetic finds")
        found, ours = await _timed(engine, _ours, queries, scopes)
        lines.append(
            {
                "benchmark": f"retrieval, {name} | exact search",
                "ours_seconds": round(ours, 4),
                "peer_seconds": round(peer, 4),
                "ratio": round(peer / ours, 1),
                "recall_at_10": round(_recall(wanted, found), 4),
                "ef_search": rag_service.EF_SEARCH,
                "documents": DOCUMENTS,
            }
        )
    await engine.dispose()
    return lines


def _wanted(vectors: Matrix, queries: Matrix, scopes: list[str]) -> list[set[str]]:
    """The titles of the documents of the scopes nearest to each query, by plain arithmetic."""
    members = _members()
    numbers = np.concatenate([np.arange(DOCUMENTS)[members[scope]] for scope in scopes])
    nearness = queries @ vectors[numbers].T
    nearest = np.argpartition(-nearness, FOUND, axis=1)[:, :FOUND]
    return [set(map(str, row)) for row in numbers[nearest].tolist()]


def _recall(wanted: list[set[str]], found: list[list[str]]) -> float:
    hits = [len(want & set(have)) for want, have in zip(wanted, found, strict=False)]
    return sum(hits) / (len(found) * FOUND)


async def _timed(
    engine: AsyncEngine, search: Search, queries: Matrix, scopes: list[str]
) -> tuple[list[list[str]], float]:
    """What each query found, and the median of their seconds."""
    found, seconds = [], []
    for query in queries.tolist():
        async with AsyncSession(engine) as ai:
            started = time.perf_counter()
            found.append(await search(ai, query, scopes))
            seconds.append(time.perf_counter() - started)
    return found, statistics.median(seconds)


async def _ours(ai: AsyncSession, query: Sequence[float], scopes: list[str]) -> list[str]:
    documents = await rag_service.nearest(ai, query, scopes, limit=FOUND, model=MODEL)
    return [document.title for document in documents]


async def _exact(ai: AsyncSession, query: Sequence[float], scopes: list[str]) -> list[str]:
    await ai.execute(statement("agent/services/search_exact"))
    values = rag_service.search_values(query, scopes, limit=FOUND, model=MODEL)
    return [row.title for row in await ai.execute(statement("agent/services/search"), values)]


def main() -> None:
    """Print the comparison."""
    for line in run():
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
