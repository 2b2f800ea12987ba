"""Learning from ratings, after the request is answered: a good answer becomes an example, an
edited one a rule. Each database is asked by itself, and none while a model embeds."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from typing_extensions import TypedDict

from app.agent import running
from app.agent.services.feedback_rules import rule_from_edit
from app.agent.services.feedback_service import delete_feedback_of, hold_ratings
from app.agent.services.memory_service import write_memory
from app.agent.services.rag_service import POSITIVE_EXAMPLE_SCOPE, embedded, write_document
from app.database import get_ai_session, get_core_session
from app.json_response import utc_text
from app.models import AgentConversation, AgentMessage, AiFeedback
from app.models.base import utc_now

Lesson = Literal["stored_positive_example", "created_rule"]

LEARNED_FROM_FEEDBACK = "feedback_learning"

_log = logging.getLogger("sigmasight.feedback")

# Beyond this many at once a rating is left to the administrator's `reprocess`.
_MOST_AT_ONCE = 20
_tasks: set[asyncio.Task[None]] = set()

_EXAMPLES = UUID("0a1d4f5c-55c8-4b43-9c5b-6f3f7e1f2d10")
_TITLE_LENGTH = 100


class JobError(TypedDict):
    """What could not be done; `error` is its kind."""

    error: str
    user_id: NotRequired[str]
    feedback_id: NotRequired[str]


@dataclass(frozen=True, slots=True)
class _Rating:
    """A rating as it was when learning began."""

    id: UUID
    message_id: UUID
    rating: str
    edited_text: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """The rated answer, whose it is, and the question before it."""

    user_id: UUID
    answer: str | None
    question: str | None


def learn_later(feedback_id: UUID) -> None:
    """Learn from a rating after the request is answered. Errors are logged."""
    if len(_tasks) >= _MOST_AT_ONCE:
        _log.warning("too many ratings at once; one is left to reprocess")
        return
    task = asyncio.create_task(_learn_and_log(feedback_id))
    _tasks.add(task)
    running.watch(task)
    task.add_done_callback(_tasks.discard)


async def finish_learning(seconds: float = 5.0) -> None:
    """Wait for what is being learned, and give it up after a while. For the end of the process."""
    loop = asyncio.get_running_loop()
    tasks = [task for task in _tasks if task.get_loop() is loop]
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def _learn_and_log(feedback_id: UUID) -> None:
    try:
        await learn(feedback_id, orphans_go=True)
    except Exception:
        _log.exception("a rating taught nothing", extra={"feedback_id": str(feedback_id)})


async def learn(feedback_id: UUID, *, orphans_go: bool = False) -> Lesson | None:
    """Learn from a rating; what it taught, if anything. Idempotent.

    Args:
        orphans_go: delete the rating if its message is gone: that was deleted while it was rated.

    Raises:
        EmbeddingError: the embedding endpoint does not answer.
    """
    async with get_ai_session() as ai:
        rating = await _rating(ai, feedback_id)
    if rating is None:
        return None
    async with get_core_session() as session:
        answer = await _answer(session, rating.message_id)
    if answer is None and orphans_go:
        async with get_ai_session() as ai:
            await delete_feedback_of(ai, [rating.message_id])
    if answer is None or not answer.answer:
        return None
    if rating.rating == "up":
        return await _learn_example(rating, answer)
    return await _learn_rule(rating, answer) if rating.edited_text else None


_RATING = select(*[getattr(AiFeedback, name) for name in _Rating.__slots__])


async def _rating(ai: AsyncSession, feedback_id: UUID) -> _Rating | None:
    row = (await ai.execute(_RATING.where(AiFeedback.id == feedback_id))).one_or_none()
    return None if row is None else _Rating(*row)


async def _answer(session: AsyncSession, message_id: UUID) -> _Answer | None:
    """The question is the user's last message before the answer, by time."""
    question = aliased(AgentMessage)
    asked_before = (
        select(question.content)
        .where(
            question.conversation_id == AgentMessage.conversation_id,
            question.role == "user",
            question.created_at <= AgentMessage.created_at,
        )
        .order_by(question.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(AgentConversation.user_id, AgentMessage.content, asked_before)
        .join(AgentMessage, AgentMessage.conversation_id == AgentConversation.id)
        .where(AgentMessage.id == message_id)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _Answer(*row)


async def _learn_example(rating: _Rating, answer: _Answer) -> Lesson | None:
    """Store question and answer where the user's later questions are looked up."""
    question = answer.question or ""
    content = f"Question: {question}\n\nAnswer that the user liked:\n{answer.answer}"
    title = f"Liked answer: {' '.join(question.split())[:_TITLE_LENGTH]}"
    named, metadata = uuid5(_EXAMPLES, str(rating.message_id)), _example_metadata(rating, answer)
    document = await embedded(named, POSITIVE_EXAMPLE_SCOPE, title, content, metadata)
    async with get_ai_session() as ai:
        if not await _still_so(ai, rating):
            return None
        await write_document(ai, document)
        await ai.commit()
    return "stored_positive_example"


def _example_metadata(rating: _Rating, answer: _Answer) -> dict[str, Any]:
    return {
        "type": "positive_example",
        "user_id": str(answer.user_id),
        "message_id": str(rating.message_id),
        "feedback_id": str(rating.id),
        "feedback_date": utc_text(utc_now()),
    }


async def _learn_rule(rating: _Rating, answer: _Answer) -> Lesson | None:
    """Remember what the user's own version of the answer shows."""
    rule = rule_from_edit(answer.answer or "", rating.edited_text or "", rating.comment)
    tags = {
        "category": rule.category,
        "source": LEARNED_FROM_FEEDBACK,
        "confidence": rule.confidence,
        "feedback_id": str(rating.id),
    }
    async with get_ai_session() as ai:
        if not await _still_so(ai, rating):
            return None
        written = await write_memory(ai, answer.user_id, "user", rule.content, tags, once=True)
        await ai.commit()
    return "created_rule" if written is not None else None


async def _still_so(ai: AsyncSession, rating: _Rating) -> bool:
    """Whether the rating is still what it was; it stays so until the transaction ends."""
    await hold_ratings(ai, [rating.message_id])
    return await _rating(ai, rating.id) == rating


async def learn_all(feedback_ids: Sequence[UUID]) -> tuple[list[Lesson], list[JobError]]:
    """Learn from ratings one after the other: what they taught, and which failed with what."""
    lessons, errors = list[Lesson](), list[JobError]()
    for feedback_id in feedback_ids:
        try:
            lesson = await learn(feedback_id)
        except Exception as error:
            _log.exception("a rating taught nothing", extra={"feedback_id": str(feedback_id)})
            errors.append({"feedback_id": str(feedback_id), "error": type(error).__name__})
            continue
        lessons += [lesson] if lesson else []
    return lessons, errors
