"""The knowledge base: documents with embeddings, and the ones nearest to a question.

Everything here takes a session on AI. What writes commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.embeddings import embed, embedding_model
from app.agent.knowledge.documents import GLOBAL_SCOPE
from app.agent.services.knowledge_seed import (
    UNNAMED_MODEL,
    KnowledgeBaseMissingError,
    embedded_text,
    seed_in,
    vector_text,
)
from app.json_response import json_bytes, json_row
from app.locks import hold
from app.models import AiKbDocument
from app.sql_files import statement

POSITIVE_EXAMPLE_SCOPE = "feedback:positive_example"
# How many candidates a search of the index keeps: `benchmarks/retrieval.py` measures what it costs
# and what it finds.
EF_SEARCH = 100

_LONGEST_PROMPT = 4_000
_LIST_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was found. `similarity` is the cosine: 1 is the same, 0 unrelated."""

    id: UUID
    scope: str
    title: str
    content: str
    similarity: float


class StoredDocument(TypedDict):
    """A document as it is stored, without its vector."""

    id: str
    scope: str
    title: str
    content: str
    metadata: dict[str, Any]
    created_at: str
    updated_at: str


def conversation_scopes(
    portfolio_ids: Iterable[UUID | str], page_hint: str | None, route: str | None
) -> list[str]:
    """The scopes that a conversation may read. Whoever calls makes sure whose portfolios they are.

    Args:
        portfolio_ids: portfolios of the caller.
        page_hint: the page on which the chat is open, if known.
        route: its path, if known.
    """
    scopes = [GLOBAL_SCOPE, POSITIVE_EXAMPLE_SCOPE]
    scopes += [f"portfolio:{portfolio_id}" for portfolio_id in portfolio_ids]
    scopes += [f"page:{page_hint}"] if page_hint else []
    scopes += [f"route:{route}"] if route else []
    return list(dict.fromkeys(scopes))


async def retrieve(
    ai: AsyncSession,
    query: str,
    scopes: Sequence[str],
    *,
    limit: int = 3,
    user_id: UUID | None = None,
) -> list[Document]:
    """The documents nearest to a question, nearest first. The session's connection is not taken
    before the question is embedded.

    Args:
        scopes: where to look.
        user_id: whose positive examples to consider; without one nobody's are.

    Raises:
        EmbeddingError: the embedding endpoint does not answer. The caller answers without
            documents, as after any other error of this function.
    """
    model = embedding_model()
    [vector] = await embed([query])
    if not any(vector):
        return []
    return await nearest(ai, vector, scopes, limit=limit, user_id=user_id, model=model)


async def nearest(
    ai: AsyncSession,
    vector: Sequence[float],
    scopes: Sequence[str],
    *,
    limit: int,
    model: str,
    user_id: UUID | None = None,
) -> list[Document]:
    """The documents nearest to a vector of `model`, nearest first: as many as asked for, wherever
    the scopes hold as many. An index scan may end before it has found enough in a rare scope; then
    the scope is read exactly."""
    values = search_values(vector, scopes, limit=limit, model=model, user_id=user_id)
    await ai.execute(statement("agent/services/search_settings"), {"ef_search": EF_SEARCH})
    found = await _search(ai, values)
    if len(found) < limit:
        await ai.execute(statement("agent/services/search_exact"))
        found = await _search(ai, values)
    return found


def search_values(
    vector: Sequence[float],
    scopes: Sequence[str],
    *,
    limit: int,
    model: str,
    user_id: UUID | None = None,
) -> dict[str, Any]:
    """The parameters of `knowledge_search`."""
    return {
        "vector": vector_text(vector),
        "scopes": list(scopes),
        "model": model,
        "unnamed_model": UNNAMED_MODEL,
        "example_scope": POSITIVE_EXAMPLE_SCOPE,
        "user_id": str(user_id) if user_id else None,
        "limit": limit,
    }


async def _search(ai: AsyncSession, values: dict[str, Any]) -> list[Document]:
    rows = await ai.execute(statement("agent/services/search"), values)
    # A vector of zeros has no angle to anything.
    return [Document(*row) for row in rows if row.similarity == row.similarity]


def format_documents(documents: Sequence[Document]) -> str:
    """The documents for a prompt: numbered, none twice (by id or title), at most 4,000
    characters."""
    seen: set[UUID | str] = set()
    parts: list[str] = []
    for document in documents:
        if document.id in seen or document.title in seen:
            continue
        seen.update((document.id, document.title))
        parts.append(f"{len(parts) + 1}. {document.title}\n{document.content}")
    return "\n\n".join(parts)[:_LONGEST_PROMPT]


async def seed_knowledge_base(ai: AsyncSession) -> int:
    """Bring our documents to their declared state; returns how many rows that changed. Nothing is
    done in a database that our chain did not make, such as the original's.

    Raises:
        EmbeddingError: the embedding endpoint does not answer; the next seeding goes on.
    """

    async def in_transaction(step: Any) -> Any:
        result = await ai.run_sync(step)
        # Also after reading, so that no connection is held while a model embeds.
        await ai.commit()
        return result

    try:
        return await seed_in(in_transaction)
    except KnowledgeBaseMissingError:
        return 0


async def upsert_document(
    ai: AsyncSession,
    *,
    scope: str,
    title: str,
    content: str,
    metadata: dict[str, Any],
    document_id: UUID | None = None,
) -> UUID:
    """Store a document and embed it: over the one of this id, or without an id over the
    newest of the same scope and title. Returns its id.

    Raises:
        EmbeddingError: the embedding endpoint does not answer.
    """
    stored = await write_document(ai, await embedded(document_id, scope, title, content, metadata))
    await ai.commit()
    return stored


async def embedded(
    document_id: UUID | None, scope: str, title: str, content: str, metadata: dict[str, Any]
) -> dict[str, Any]:
    """A document with its vector, as `write_document` takes one. Raises what `embed` does."""
    model = embedding_model()
    [vector] = await embed([embedded_text(title, content)])
    return {
        "id": document_id,
        "scope": scope,
        "title": title,
        "content": content,
        "metadata": json_bytes({**metadata, "embedding_model": model}).decode(),
        "vector": vector_text(vector),
    }


async def write_document(ai: AsyncSession, values: dict[str, Any]) -> UUID:
    """Write a document that is `embedded`, without a commit."""
    await hold(ai, f"document {values['scope']}/{values['title']}")
    found: UUID = (await ai.execute(statement("agent/services/upsert"), values)).scalar_one()
    return found


_STORED = select(
    AiKbDocument.id,
    AiKbDocument.scope,
    AiKbDocument.title,
    AiKbDocument.content,
    AiKbDocument.doc_metadata.label("metadata"),
    AiKbDocument.created_at,
    AiKbDocument.updated_at,
)


async def get_document(ai: AsyncSession, document_id: UUID) -> StoredDocument | None:
    """The document of this id, if there is one."""
    found = await _stored(ai, _STORED.where(AiKbDocument.id == document_id))
    return found[0] if found else None


async def list_documents(
    ai: AsyncSession, *, scope: str | None = None, limit: int = _LIST_LIMIT, offset: int = 0
) -> list[StoredDocument]:
    """Documents, of one scope or of all, newest first."""
    query = _STORED.where(AiKbDocument.scope == scope) if scope else _STORED
    newest = query.order_by(AiKbDocument.created_at.desc(), AiKbDocument.id)
    return await _stored(ai, newest.limit(limit).offset(offset))


async def _stored(ai: AsyncSession, query: Select[Any]) -> list[StoredDocument]:
    return [json_row(StoredDocument, row) for row in await ai.execute(query)]


async def count_documents(ai: AsyncSession, scope: str | None = None) -> int:
    """How many documents there are, of one scope or of all."""
    query = select(func.count()).select_from(AiKbDocument)
    found: int = (
        await ai.execute(query.where(AiKbDocument.scope == scope) if scope else query)
    ).scalar_one()
    return found


async def delete_document(ai: AsyncSession, document_id: UUID) -> bool:
    """Delete a document; whether there was one."""
    gone = delete(AiKbDocument).where(AiKbDocument.id == document_id).returning(AiKbDocument.id)
    found = (await ai.execute(gone)).first() is not None
    await ai.commit()
    return found
