"""Seeding the knowledge base: once, however often and wherever it is asked for.

The steps are plain functions on a connection, so that the backend (asynchronous) and the phases of
a move (synchronous) run the same ones. Embedding happens between transactions, never inside one.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Connection, column, func, select, table
from sqlalchemy.orm import Session

from app.agent.embeddings import embed, embedding_model
from app.agent.knowledge.documents import BUILTIN, BuiltinDocument, builtin_documents
from app.chain_folders import known_revisions
from app.json_response import json_bytes
from app.migration_recognition import SHARED_AI_VERSION_TABLE, VERSION_TABLE
from app.models import AiKbDocument
from app.sql_files import statement

# Rows without a model's name were embedded by the original's.
UNNAMED_MODEL = "text-embedding-3-small"

_LOCK = func.hashtextextended("sigmasight knowledge base", 0)
_BATCH = 100

Database = Connection | Session


class KnowledgeBaseMissingError(Exception):
    """Our chain did not make a knowledge base here."""


class InTransaction(Protocol):
    """Runs a step in a transaction of its own and returns what it returns."""

    def __call__(self, step: Callable[[Database], Any]) -> Awaitable[Any]:
        """Run a step."""


class Foreign(NamedTuple):
    """A document whose vector is not of the present model."""

    id: UUID
    title: str
    content: str


async def seed_in(in_transaction: InTransaction) -> int:
    """Bring our documents to their declared state; returns how many rows were changed.

    Raises:
        KnowledgeBaseMissingError: our chain did not make this database.
        EmbeddingError: the embedding endpoint does not answer.
    """
    if not await in_transaction(_is_ours):
        raise KnowledgeBaseMissingError
    model = embedding_model()
    outdated: list[BuiltinDocument] = await in_transaction(partial(_outdated, model=model))
    vectors = await embed([embedded_text(each.title, each.content) for each in outdated])
    changed: int = await in_transaction(
        partial(_write, model=model, documents=outdated, vectors=vectors)
    )
    return changed


async def embed_the_rest_in(in_transaction: InTransaction) -> int:
    """Give every document whose vector is missing or of another model one of the present model;
    returns how many. Until then such a document is found by no question. A phase does it, not a
    backend at its start, where thousands would make the first requests wait.

    Raises:
        EmbeddingError: the embedding endpoint does not answer.
    """
    model, total = embedding_model(), 0
    while foreign := await in_transaction(partial(_foreign, model=model)):
        vectors = await embed([embedded_text(each.title, each.content) for each in foreign])
        written: int = await in_transaction(
            partial(_re_embed, model=model, documents=foreign, vectors=vectors)
        )
        if not written:  # somebody else is at it
            break
        total += written
    return total


def embedded_text(title: str, content: str) -> str:
    """What of a document is embedded. With its title, a question finds a document that answers it
    even if the answer shares few of its words."""
    return f"{title}\n{content}"


def vector_text(vector: Sequence[float]) -> str:
    """A vector as PostgreSQL reads it."""
    return f"[{','.join(f'{number:.9g}' for number in vector)}]"


def _is_ours(database: Database) -> bool:
    """Whether the AI chain has made this database. The original's holds a revision that no chain
    of ours knows; a Core half has no knowledge base."""
    names = (AiKbDocument.__tablename__, SHARED_AI_VERSION_TABLE, VERSION_TABLE)
    exists = select(*(func.to_regclass(name).is_not(None) for name in names))
    documents, shared, own = tuple(database.execute(exists).one())
    if not documents or not (shared or own):
        return False
    versions = table(SHARED_AI_VERSION_TABLE if shared else VERSION_TABLE, column("version_num"))
    revisions = set(database.execute(select(versions.c.version_num)).scalars())
    return bool(revisions) and revisions <= known_revisions()


def _metadata(document: BuiltinDocument, model: str) -> dict[str, str]:
    return {**document.metadata, "embedding_model": model}


def _outdated(database: Database, *, model: str) -> list[BuiltinDocument]:
    """Our documents that are not stored as they should be. One that bears our mark no more belongs
    to whoever took it away."""
    ours = builtin_documents()
    query = select(
        AiKbDocument.id,
        AiKbDocument.doc_metadata["seed"].astext,
        AiKbDocument.doc_metadata,
        AiKbDocument.scope,
        AiKbDocument.title,
        AiKbDocument.content,
        AiKbDocument.embedding.is_not(None),
    ).where(AiKbDocument.id.in_([document.id for document in ours]))
    stored = {row[0]: tuple(row[1:]) for row in database.execute(query)}
    others = {key for key, (mark, *_) in stored.items() if mark != BUILTIN}
    return [
        each
        for each in ours
        if each.id not in others
        and stored.get(each.id)
        != (BUILTIN, _metadata(each, model), each.scope, each.title, each.content, True)
    ]


def _write(
    database: Database,
    *,
    model: str,
    documents: Sequence[BuiltinDocument],
    vectors: Sequence[Sequence[float]],
) -> int:
    # One at a time, because two that write the same rows in another order would block each other.
    database.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    values = {
        "ids": [document.id for document in documents],
        "scopes": [document.scope for document in documents],
        "titles": [document.title for document in documents],
        "contents": [document.content for document in documents],
        "metadata": [json_bytes(_metadata(document, model)).decode() for document in documents],
        "vectors": [vector_text(vector) for vector in vectors],
        "seed": BUILTIN,
        "kept": [document.id for document in builtin_documents()],
    }
    changed: int = database.execute(statement("agent/services/seed"), values).scalar_one()
    return changed


def _foreign(database: Database, *, model: str) -> list[Foreign]:
    values = {"model": model, "unnamed_model": UNNAMED_MODEL, "limit": _BATCH}
    rows = database.execute(statement("agent/services/foreign_vectors"), values)
    return [Foreign(*row) for row in rows]


def _re_embed(
    database: Database,
    *,
    model: str,
    documents: Sequence[Foreign],
    vectors: Sequence[Sequence[float]],
) -> int:
    database.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    values = {
        "ids": [document.id for document in documents],
        "titles": [document.title for document in documents],
        "contents": [document.content for document in documents],
        "vectors": [vector_text(vector) for vector in vectors],
        "model": model,
    }
    return len(database.execute(statement("agent/services/reembed"), values).all())
