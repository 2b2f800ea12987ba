"""The rows of a turn: a question and its answer, in Core, both there before the first event."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agent import bounds
from app.agent.context import ChatContext
from app.agent.model import Role
from app.database import get_core_session
from app.errors import ConflictError, NotFoundError, UnauthorizedError
from app.models import AgentConversation, AgentMessage
from app.models.base import utc_now
from app.sql_files import statement


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A question that waits for its answer.

    Attributes:
        context: what the conversation is about; all portfolios in it are the caller's.
        history: earlier messages of the conversation, oldest first.
        answer: where the question had been answered before, and was asked again.
    """

    user_id: UUID
    conversation_id: UUID
    mode: str
    context: ChatContext
    history: tuple[tuple[Role, str], ...]
    question: str
    user_message_id: UUID
    assistant_message_id: UUID
    answer: str | None


async def open_turn(
    user_id: UUID,
    conversation_id: UUID,
    question: str,
    newer: ChatContext,
    message_id: UUID | None = None,
) -> OpenTurn:
    """Commit the question and an empty answer, and say what they follow. A question that is asked
    again, by its id, keeps its rows.

    Raises:
        UnauthorizedError: the caller is gone or inactive.
        NotFoundError: the conversation, or a portfolio of `newer`, is not the caller's, or the
            message is not of this conversation.
        ConflictError: the id is that of another message of it.
    """
    asked = message_id or uuid4()
    answered = uuid5(asked, "answer")  # so that who asks again finds it
    async with get_core_session() as session:
        row = await _add(session, user_id, conversation_id, question, asked, answered)
        answer = None
        if row.added < 2:
            answer = await _answer_before(session, conversation_id, question, asked, answered)
        stored = ChatContext.from_metadata(row.metadata)
        context = _own_context(stored, newer, row.owned)
        if context.metadata() != stored.metadata():
            await _keep_context(session, conversation_id, context)
        await session.commit()
    history = tuple((role, text) for role, text in row.history or ())
    return OpenTurn(
        user_id, conversation_id, row.mode, context, history, question, asked, answered, answer
    )


async def save_answer(message_id: UUID, columns: dict[str, Any]) -> None:
    """Write an answer, whole or broken off, into its row. One that is whole stays, where a turn was
    tried again while it was under way."""
    async with get_core_session() as session:
        await session.execute(
            update(AgentMessage)
            .where(AgentMessage.id == message_id)
            .where(or_(AgentMessage.error.is_not(None), AgentMessage.content == ""))
            .values(**columns)
        )
        await session.commit()


async def _add(
    session: AsyncSession,
    user_id: UUID,
    conversation_id: UUID,
    question: str,
    asked: UUID,
    answered: UUID,
) -> Any:
    values = {
        "user_id": user_id,
        "conversation_id": conversation_id,
        "asked": asked,
        "answered": answered,
        "question": question,
        "now": utc_now(),
        "messages": bounds.HISTORY_MESSAGES,
        "characters": bounds.HISTORY_CHARACTERS,
    }
    row = (await session.execute(statement("agent/open_turn"), values)).one()
    if not row.is_active:
        raise UnauthorizedError("Could not validate credentials")
    if row.mode is None:
        raise NotFoundError("Conversation not found")
    return row


async def _answer_before(
    session: AsyncSession, conversation_id: UUID, question: str, asked: UUID, answered: UUID
) -> str | None:
    """The whole answer of a turn that was there; None where it has none."""
    values = {"conversation_id": conversation_id, "question": question}
    values |= {"asked": asked, "answered": answered}
    row = (await session.execute(statement("agent/turn_again"), values)).one_or_none()
    if row is None:
        raise NotFoundError("Message not found")
    if not row.same:
        raise ConflictError("This message_id is another message's: send this one with a new id")
    answer: str | None = row.answer
    return answer


def _own_context(stored: ChatContext, newer: ChatContext, owned: Collection[UUID]) -> ChatContext:
    """What the turn is about. A portfolio that was deleted since is forgotten; one that the caller
    names must be theirs."""
    if set(newer.candidates) - set(owned):
        raise NotFoundError("Portfolio not found")
    return stored.limited_to(owned).overlaid(newer)


async def _keep_context(session: AsyncSession, conversation_id: UUID, context: ChatContext) -> None:
    await session.execute(
        update(AgentConversation)
        .where(AgentConversation.id == conversation_id)
        .values(conversation_metadata=context.metadata(), updated_at=utc_now())
    )
