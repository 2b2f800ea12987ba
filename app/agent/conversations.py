"""Conversations: chat rows of Core, each one user's own."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.choice import provider_name
from app.agent.context import ChatContext
from app.agent.services import feedback_service, memory_service
from app.database import get_ai_session
from app.errors import NotFoundError, UnauthorizedError
from app.json_response import json_row, utc_text
from app.models import AgentConversation, AgentMessage, User
from app.models.base import utc_now
from app.ownership import owned_portfolios

_MOST_PORTFOLIOS = 10


class Conversation(TypedDict):
    """A conversation."""

    id: str
    mode: str
    created_at: str
    provider: str
    provider_thread_id: str | None


_COLUMNS = [getattr(AgentConversation, name) for name in Conversation.__annotations__]


class ModeChange(TypedDict):
    """A conversation's mode, before and after."""

    id: str
    previous_mode: str
    new_mode: str
    changed_at: str


async def create_conversation(
    session: AsyncSession, user_id: UUID, mode: str, context: ChatContext
) -> Conversation:
    """Begin a conversation about the given portfolios, else about all of the caller's.

    A caller's only portfolio is preset. Of several none is: the conversation knows them all.

    Raises:
        NotFoundError: a portfolio is not the caller's, or the caller has none.
    """
    about = await _resolved(session, user_id, context)
    now = utc_now()
    added = insert(AgentConversation).values(
        id=uuid4(),
        user_id=user_id,
        mode=mode,
        provider=provider_name(),
        created_at=now,
        updated_at=now,
        conversation_metadata=about.metadata(),
    )
    row = (await session.execute(added.returning(*_COLUMNS))).one()
    await session.commit()
    return json_row(Conversation, row)


async def _resolved(session: AsyncSession, user_id: UUID, context: ChatContext) -> ChatContext:
    owned = await owned_portfolios(session, user_id)
    if context.candidates:
        if set(context.candidates) - {each.id for each in owned}:
            raise NotFoundError("Portfolio not found")
        return context
    if not owned:
        raise NotFoundError("No portfolio found for user")
    active = [each.id for each in owned if each.is_active] or [each.id for each in owned]
    single = active[0] if len(active) == 1 else None
    several = () if single else tuple(active[:_MOST_PORTFOLIOS])
    return context.overlaid(ChatContext(single, several))


async def require_active(session: AsyncSession, user_id: UUID) -> None:
    """Raise UnauthorizedError unless the user is there and active."""
    query = select(User.is_active).where(User.id == user_id)
    if not (await session.execute(query)).scalar_one_or_none():
        raise UnauthorizedError("Could not validate credentials")


async def list_conversations(
    session: AsyncSession, user_id: UUID, *, limit: int, offset: int
) -> list[Conversation]:
    """The caller's conversations, newest first."""
    rows = await session.execute(
        select(*_COLUMNS)
        .where(AgentConversation.user_id == user_id)
        .order_by(AgentConversation.created_at.desc(), AgentConversation.id)
        .limit(limit)
        .offset(offset)
    )
    return [json_row(Conversation, row) for row in rows]


async def get_conversation(
    session: AsyncSession, user_id: UUID, conversation_id: UUID
) -> Conversation:
    """The caller's conversation.

    Raises:
        NotFoundError: there is none of this id, or it is somebody else's.
    """
    query = select(*_COLUMNS).where(*_own(user_id, conversation_id))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError("Conversation not found")
    return json_row(Conversation, row)


async def change_mode(
    session: AsyncSession, user_id: UUID, conversation_id: UUID, mode: str
) -> ModeChange:
    """Answer in another style from now on.

    Raises:
        NotFoundError: there is no such conversation of the caller.
    """
    before = select(AgentConversation.mode).where(*_own(user_id, conversation_id)).with_for_update()
    previous = (await session.execute(before)).scalar_one_or_none()
    if previous is None:
        raise NotFoundError("Conversation not found")
    now = utc_now()
    await session.execute(
        update(AgentConversation)
        .where(AgentConversation.id == conversation_id)
        .values(mode=mode, updated_at=now)
    )
    await session.commit()
    return {
        "id": str(conversation_id),
        "previous_mode": previous,
        "new_mode": mode,
        "changed_at": utc_text(now),
    }


async def delete_conversation(session: AsyncSession, user_id: UUID, conversation_id: UUID) -> None:
    """Delete a conversation with its messages and, before them, what AI holds of it: feedback goes,
    memories stay and forget where they come from.

    No transaction spans both databases: a failure between leaves messages without feedback, never
    feedback without a message, and the call can be repeated.

    Raises:
        NotFoundError: there is no such conversation of the caller.
    """
    own = _own(user_id, conversation_id)
    messages = select(AgentMessage.id).where(AgentMessage.conversation_id == AgentConversation.id)
    query = select(func.array(messages.scalar_subquery())).where(*own)
    row = (await session.execute(query)).one_or_none()
    # No connection to Core is held while AI is at work.
    await session.rollback()
    if row is None:
        raise NotFoundError("Conversation not found")
    async with get_ai_session() as ai:
        await feedback_service.delete_feedback_of(ai, row[0])
        await memory_service.forget_conversation(ai, user_id, conversation_id)
    await session.execute(delete(AgentConversation).where(*own))
    await session.commit()


def _own(user_id: UUID, conversation_id: UUID) -> tuple[Any, ...]:
    return (AgentConversation.id == conversation_id, AgentConversation.user_id == user_id)
