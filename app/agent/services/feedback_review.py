"""What administrators see of ratings and of what they taught.

Ratings live in AI (`ai`), their messages and users in Core (`session`): each is asked once.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.services.feedback_learning import LEARNED_FROM_FEEDBACK
from app.agent.services.feedback_rules import Rated, Rule, patterns
from app.json_response import utc_text
from app.models import AgentConversation, AgentMessage, AiFeedback, AiMemory
from app.models.base import utc_now
from app.sql_files import statement

LEARNED_FROM_PATTERNS = "pattern_analysis"

_RECENT = timedelta(days=7)
_PATTERN_DAYS = 30
_MOST_RATINGS = 5_000


class FeedbackSummary(TypedDict):
    """Ratings of a period."""

    total_feedback: int
    positive: int
    negative: int
    positive_ratio: float
    with_edits: int
    with_comments: int
    period_days: int
    generated_at: str


class LearningStats(TypedDict):
    """All ratings there are."""

    total_feedback: int
    positive_feedback: int
    negative_feedback: int
    positive_ratio: float
    feedback_with_edits: int
    recent_feedback_7d: int
    generated_at: str


class Pattern(TypedDict):
    """What a user's ratings have in common."""

    type: str
    content: str
    confidence: float
    source: str
    category: str
    evidence_count: int


class UserPatterns(TypedDict):
    """The patterns of one user."""

    user_id: str
    patterns_found: int
    patterns: list[Pattern]
    analyzed_at: str


class NegativeFeedback(TypedDict):
    """A bad rating with its answer; without answer and user where the message is gone."""

    feedback_id: str
    message_id: str
    user_id: str | None
    rating: str
    original_text: str | None
    edited_text: str | None
    comment: str | None
    created_at: str


class NegativeFeedbackList(TypedDict):
    """Bad ratings to review."""

    total: int
    period_days: int
    with_edits_only: bool
    items: list[NegativeFeedback]


class LearnedPreference(TypedDict):
    """A memory that ratings taught."""

    memory_id: str
    user_id: str | None
    content: str
    category: str | None
    source: str | None
    confidence: float | None
    created_at: str


class LearnedPreferences(TypedDict):
    """Memories that ratings taught."""

    total: int
    preferences: list[LearnedPreference]


@dataclass(frozen=True, slots=True)
class RatedMessage:
    """Whose message was rated, and what it says."""

    user_id: UUID
    content: str | None


async def feedback_summary(
    ai: AsyncSession, session: AsyncSession, *, days: int, user_id: UUID | None = None
) -> FeedbackSummary:
    """Ratings of the last `days` days, of one user or of all."""
    messages = None if user_id is None else await _answers_to(session, user_id)
    now = utc_now()
    counts = await _counts(ai, now - timedelta(days=days), messages)
    return {
        "total_feedback": counts.total,
        "positive": counts.positive,
        "negative": counts.negative,
        "positive_ratio": _share(counts.positive, counts.total),
        "with_edits": counts.with_edits,
        "with_comments": counts.with_comments,
        "period_days": days,
        "generated_at": utc_text(now),
    }


async def learning_stats(ai: AsyncSession) -> LearningStats:
    """All ratings there are, and those of the last week."""
    now = utc_now()
    counts = await _counts(ai, datetime.min.replace(tzinfo=now.tzinfo), None)
    return {
        "total_feedback": counts.total,
        "positive_feedback": counts.positive,
        "negative_feedback": counts.negative,
        "positive_ratio": _share(counts.positive, counts.total),
        "feedback_with_edits": counts.with_edits,
        "recent_feedback_7d": counts.recent,
        "generated_at": utc_text(now),
    }


async def _counts(ai: AsyncSession, since: datetime, messages: Collection[UUID] | None) -> Any:
    values = {
        "since": since,
        "recent_since": utc_now() - _RECENT,
        "message_ids": None if messages is None else list(messages),
    }
    return (await ai.execute(statement("agent/services/feedback_stats"), values)).one()


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


async def user_patterns(
    ai: AsyncSession, session: AsyncSession, user_id: UUID, min_confidence: float
) -> UserPatterns:
    """What the user's ratings of the last 30 days have in common."""
    answers = await _answers_to(session, user_id)
    rated = await rated_answers(ai, session, _PATTERN_DAYS, answers)
    found = patterns(rated.get(user_id, []), min_confidence)
    return {
        "user_id": str(user_id),
        "patterns_found": len(found),
        "patterns": [pattern_of(rule) for rule in found],
        "analyzed_at": utc_text(utc_now()),
    }


def pattern_of(rule: Rule) -> Pattern:
    """A rule as the API shows it."""
    return {
        "type": rule.type,
        "content": rule.content,
        "confidence": rule.confidence,
        "source": LEARNED_FROM_PATTERNS,
        "category": rule.category,
        "evidence_count": rule.evidence_count,
    }


async def rated_answers(
    ai: AsyncSession, session: AsyncSession, days: int, among: Collection[UUID] | None = None
) -> Mapping[UUID, Sequence[Rated]]:
    """The rated answers of the last `days` days by user, of these messages or of all; the newest
    five thousand of them."""
    query = select(AiFeedback.message_id, AiFeedback.rating, AiFeedback.edited_text).where(
        AiFeedback.created_at >= utc_now() - timedelta(days=days)
    )
    if among is not None:
        query = query.where(AiFeedback.message_id == _any_of(among))
    newest = query.order_by(AiFeedback.created_at.desc(), AiFeedback.id).limit(_MOST_RATINGS)
    rows = (await ai.execute(newest)).all()
    messages = await _messages(session, [row.message_id for row in rows])
    rated: dict[UUID, list[Rated]] = defaultdict(list)
    for row in rows:
        message = messages.get(row.message_id)
        if message is not None and message.content:
            rated[message.user_id].append(Rated(row.rating, message.content, row.edited_text))
    return rated


async def negative_feedback(
    ai: AsyncSession, session: AsyncSession, *, limit: int, days: int, with_edits_only: bool
) -> NegativeFeedbackList:
    """The newest bad ratings with what was rated, for a person to read."""
    query = select(AiFeedback).where(
        AiFeedback.rating == "down", AiFeedback.created_at >= utc_now() - timedelta(days=days)
    )
    if with_edits_only:
        query = query.where(AiFeedback.edited_text.is_not(None))
    newest = query.order_by(AiFeedback.created_at.desc(), AiFeedback.id).limit(limit)
    rows = (await ai.execute(newest)).scalars().all()
    messages = await _messages(session, [row.message_id for row in rows])
    items = [_negative(row, messages.get(row.message_id)) for row in rows]
    return {
        "total": len(items),
        "period_days": days,
        "with_edits_only": with_edits_only,
        "items": items,
    }


def _negative(row: AiFeedback, message: RatedMessage | None) -> NegativeFeedback:
    return {
        "feedback_id": str(row.id),
        "message_id": str(row.message_id),
        "user_id": str(message.user_id) if message else None,
        "rating": row.rating,
        "original_text": message.content if message else None,
        "edited_text": row.edited_text,
        "comment": row.comment,
        "created_at": utc_text(row.created_at),
    }


async def learned_preferences(
    ai: AsyncSession, *, user_id: UUID | None, limit: int
) -> LearnedPreferences:
    """The newest memories that ratings taught, of one user or of all."""
    source = AiMemory.tags["source"].astext
    query = select(AiMemory).where(
        AiMemory.scope == "user", source.in_([LEARNED_FROM_FEEDBACK, LEARNED_FROM_PATTERNS])
    )
    if user_id is not None:
        query = query.where(AiMemory.user_id == user_id)
    newest = query.order_by(AiMemory.created_at.desc(), AiMemory.id).limit(limit)
    found = [_preference(memory) for memory in (await ai.execute(newest)).scalars()]
    return {"total": len(found), "preferences": found}


def _preference(memory: AiMemory) -> LearnedPreference:
    confidence = memory.tags.get("confidence")
    return {
        "memory_id": str(memory.id),
        "user_id": str(memory.user_id) if memory.user_id else None,
        "content": memory.content,
        "category": _text_or_none(memory.tags.get("category")),
        "source": _text_or_none(memory.tags.get("source")),
        "confidence": confidence if isinstance(confidence, int | float) else None,
        "created_at": utc_text(memory.created_at),
    }


def _text_or_none(value: object) -> str | None:
    """Tags are free: users write their own."""
    return value if isinstance(value, str) else None


async def _answers_to(session: AsyncSession, user_id: UUID) -> list[UUID]:
    query = (
        select(AgentMessage.id)
        .join(AgentConversation, AgentConversation.id == AgentMessage.conversation_id)
        .where(AgentConversation.user_id == user_id, AgentMessage.role == "assistant")
    )
    return list((await session.execute(query)).scalars())


async def _messages(
    session: AsyncSession, message_ids: Collection[UUID]
) -> dict[UUID, RatedMessage]:
    if not message_ids:
        return {}
    query = (
        select(AgentMessage.id, AgentConversation.user_id, AgentMessage.content)
        .join(AgentConversation, AgentConversation.id == AgentMessage.conversation_id)
        .where(AgentMessage.id == _any_of(message_ids))
    )
    return {row[0]: RatedMessage(row[1], row[2]) for row in await session.execute(query)}


def _any_of(ids: Collection[UUID]) -> Any:
    return any_(literal(list(ids), ARRAY(Uuid)))
