"""Seed the knowledge base in AI: the backend's own seeding, and what is too long for its start."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from app.agent.embeddings import EmbeddingError
from app.agent.services.knowledge_seed import (
    KnowledgeBaseMissingError,
    embed_the_rest_in,
    seed_in,
)
from ops.connection import shown_address
from ops.demo.transaction import transaction
from ops.errors import ConfigurationError, WrongDatabaseError


def seed_knowledge_base(ai_url: URL) -> int:
    """Bring the knowledge base to its declared state, and every document to the present model;
    returns how many rows that changed. Idempotent, also when a backend starts at the same time.

    Raises:
        WrongDatabaseError: the AI chain did not make this database.
        ConfigurationError: the embedding endpoint does not answer, or the role may not write.
        DatabaseUnavailableError: the server does not answer.
    """

    async def in_transaction(step: Callable[[Connection], Any]) -> Any:
        with transaction(ai_url, application_name="seed") as connection:
            return step(connection)

    async def whole() -> int:
        return await seed_in(in_transaction) + await embed_the_rest_in(in_transaction)

    try:
        return asyncio.run(whole())
    except KnowledgeBaseMissingError:
        raise WrongDatabaseError(
            f"{shown_address(ai_url)} holds no knowledge base of ours; run `sigmasight migrate`, "
            "or correct AI_DATABASE_URL"
        ) from None
    except EmbeddingError as error:
        raise ConfigurationError(
            f"{error}; correct LLM_BASE_URL and LLM_EMBEDDING_MODEL, or unset the model"
        ) from None
