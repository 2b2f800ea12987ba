"""Ratings of the agent's answers, one a message, and what they taught.

A rating lives in AI, its message in Core: `rated_message` is what ties them, on a Core session;
everything else here takes a session on AI. What writes commits.
"""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.services.rag_service import POSITIVE_EXAMPLE_SCOPE
from app.errors import BadRequestError, NotFoundError
from app.json_response import json_row
from app.locks import hold
from app.models import AgentConversation, AgentMessage, AiFeedback, AiKbDocument, AiMemory
from app.sql_files import statement

Rating = Literal["up", "down"]


class Feedback(TypedDict):
    """A rating as the API shows it."""

    id: str
    message_id: str
    rating: str
    edited_text: str | None
    comment: str | None


_COLUMNS = [getattr(AiFeedback, name) for name in Feedback.__annotations__]


async def require_own_message(
    session: AsyncSession, user_id: UUID, message_id: UUID, *, answer: bool = False
) -> None:
    """Make sure that a message is in a conversation of the user; on a session of Core.

    Args:
        answer: it must be the agent's.

    Raises:
        NotFoundError: there is no such message, or it is somebody else's.
        BadRequestError: it is not an answer.
    """
    query = (
        select(AgentMessage.role)
        .join(AgentConversation, AgentConversation.id == AgentMessage.conversation_id)
        .where(AgentMessage.id == message_id, AgentConversation.user_id == user_id)
    )
    role = (await session.execute(query)).scalar_one_or_none()
    if role is None:
        raise NotFoundError("Message not found")
    if answer and role != "assistant":
        raise BadRequestError("Feedback can only be given on the assistant's messages")


async def rate(
    ai: AsyncSession,
    user_id: UUID,
    message_id: UUID,
    rating: Rating,
    edited_text: str | None,
    comment: str | None,
) -> Feedback:
    """Store the one rating of a user's message. What a former rating taught is undone; what this
    one teaches is learned later."""
    await hold_ratings(ai, [message_id])
    values = {
        "message_id": message_id,
        "rating": rating,
        "edited_text": edited_text,
        "comment": comment,
    }
    row = (await ai.execute(statement("agent/services/feedback_rate"), values)).one()
    await _forget(ai, [row.id], AiMemory.user_id == user_id)
    await ai.commit()
    return json_row(Feedback, row)


async def hold_ratings(ai: AsyncSession, message_ids: Iterable[UUID]) -> None:
    """Keep ratings as they are until the transaction ends: they have no unique key."""
    await hold(ai, *(f"rating of {message_id}" for message_id in message_ids))


async def feedback_of(ai: AsyncSession, message_id: UUID) -> Feedback | None:
    """The rating of a message, if it has one."""
    query = select(*_COLUMNS).where(AiFeedback.message_id == message_id)
    row = (await ai.execute(query.order_by(AiFeedback.id).limit(1))).one_or_none()
    return None if row is None else json_row(Feedback, row)


async def delete_feedback(ai: AsyncSession, message_id: UUID) -> None:
    """Delete the rating of a message and what it taught.

    Raises:
        NotFoundError: it has none.
    """
    if not await delete_feedback_of(ai, [message_id]):
        raise NotFoundError("Feedback not found for this message")


async def delete_feedback_of(ai: AsyncSession, message_ids: Sequence[UUID]) -> int:
    """Delete the ratings of these messages and what they taught; how many there were."""
    of_these = AiFeedback.message_id == any_(literal(list(message_ids), ARRAY(Uuid)))
    rated = (await ai.execute(select(AiFeedback.message_id).where(of_these))).scalars().all()
    if not rated:
        return 0
    await hold_ratings(ai, rated)
    gone = await ai.execute(delete(AiFeedback).where(of_these).returning(AiFeedback.id))
    found = gone.scalars().all()
    await _forget(ai, found)
    await ai.commit()
    return len(found)


async def _forget(
    ai: AsyncSession, feedback_ids: Sequence[UUID], *among: ColumnElement[bool]
) -> None:
    """Delete the examples and rules that ratings taught."""
    names = any_(literal([str(feedback_id) for feedback_id in feedback_ids], ARRAY(Text)))
    examples = delete(AiKbDocument).where(
        AiKbDocument.scope == POSITIVE_EXAMPLE_SCOPE,
        AiKbDocument.doc_metadata["feedback_id"].astext == names,
    )
    await ai.execute(examples)
    rules = delete(AiMemory).where(*among, AiMemory.tags["feedback_id"].astext == names)
    await ai.execute(rules)
