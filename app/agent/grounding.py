"""What is known before a model is asked: documents of the knowledge base and memories."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from app.agent import bounds
from app.agent.context import ChatContext
from app.agent.services import memory_service, rag_service
from app.agent.services.rag_service import Document
from app.database import get_ai_session

_log = logging.getLogger("sigmasight.chat")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Grounding:
    """What an answer may build on; empty where it could not be fetched."""

    documents: Sequence[Document] = ()
    memories: str = ""


async def ground(
    question: str, user_id: UUID, context: ChatContext, *, with_memories: bool
) -> Grounding:
    """Fetch documents, and memories where asked; an answer is possible without either."""
    documents = await _or([], _documents(question, user_id, context))
    memories = await _or("", _memories(user_id, context)) if with_memories else ""
    return Grounding(documents, memories)


async def _documents(question: str, user_id: UUID, context: ChatContext) -> list[Document]:
    scopes = rag_service.conversation_scopes(context.candidates, context.page_hint, context.route)
    async with get_ai_session() as ai:
        return await rag_service.retrieve(ai, question, scopes, user_id=user_id)


async def _memories(user_id: UUID, context: ChatContext) -> str:
    async with get_ai_session() as ai:
        return await memory_service.memories_for_prompt(ai, user_id, context.portfolio_id)


async def _or(otherwise: _T, fetching: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(bounds.GROUNDING_SECONDS):
            return await fetching
    except Exception as error:
        _log.warning("the answer goes without grounding", exc_info=error)
        return otherwise
