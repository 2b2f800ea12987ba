"""What administrators start: learning from all ratings, and from those that taught nothing yet."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.services.feedback_learning import JobError, learn_all
from app.agent.services.feedback_review import LEARNED_FROM_PATTERNS, rated_answers
from app.agent.services.feedback_rules import Rated, Rule, patterns
from app.agent.services.memory_service import remember
from app.agent.services.rag_service import POSITIVE_EXAMPLE_SCOPE
from app.database import get_ai_session, get_core_session
from app.json_response import utc_text
from app.models.base import utc_now
from app.sql_files import statement

_FEWEST_RATINGS = 3
_MOST_REPROCESSED = 500

_log = logging.getLogger("sigmasight.feedback")


class UserResult(TypedDict):
    """What the ratings of one user taught."""

    user_id: str
    patterns_found: int
    rules_created: int


class LearningRun(TypedDict):
    """What learning from all users' ratings came to."""

    job_type: str
    status: str
    started_at: str
    completed_at: str
    duration_seconds: float
    users_processed: int
    total_patterns_found: int
    total_rules_created: int
    user_results: list[UserResult]
    errors: list[JobError]


class Reprocessing(TypedDict):
    """What going over ratings again came to."""

    job_type: str
    status: str
    started_at: str
    completed_at: str
    feedback_processed: int
    actions_taken: int
    errors: list[JobError]


async def run_learning(*, min_confidence: float, days: int) -> LearningRun:
    """Look for patterns in the ratings of each user who gave at least three, and remember them.
    What is remembered already is not written again."""
    started, clock = utc_now(), time.perf_counter()
    async with get_ai_session() as ai, get_core_session() as session:
        by_user = await rated_answers(ai, session, days)
    results, errors = await _learn_patterns(_enough(by_user), min_confidence)
    return {
        "job_type": "feedback_learning_batch",
        "status": "completed",
        "started_at": utc_text(started),
        "completed_at": utc_text(utc_now()),
        "duration_seconds": round(time.perf_counter() - clock, 3),
        "users_processed": len(results),
        "total_patterns_found": sum(each["patterns_found"] for each in results),
        "total_rules_created": sum(each["rules_created"] for each in results),
        "user_results": [each for each in results if each["rules_created"]],
        "errors": errors,
    }


def _enough(by_user: Mapping[UUID, Sequence[Rated]]) -> dict[UUID, Sequence[Rated]]:
    return {user: rated for user, rated in by_user.items() if len(rated) >= _FEWEST_RATINGS}


async def _learn_patterns(
    by_user: Mapping[UUID, Sequence[Rated]], min_confidence: float
) -> tuple[list[UserResult], list[JobError]]:
    results, errors = list[UserResult](), list[JobError]()
    async with get_ai_session() as ai:
        for user_id, rated in by_user.items():
            found = patterns(rated, min_confidence)
            try:
                created = await _remember_all(ai, user_id, found)
            except Exception as error:
                _log.exception("ratings of a user taught nothing")
                await ai.rollback()
                errors.append({"user_id": str(user_id), "error": type(error).__name__})
                continue
            results.append(
                {
                    "user_id": str(user_id),
                    "patterns_found": len(found),
                    "rules_created": created,
                }
            )
    return results, errors


async def _remember_all(ai: AsyncSession, user_id: UUID, found: Sequence[Rule]) -> int:
    created = 0
    for rule in found:
        tags = {
            "category": rule.category,
            "source": LEARNED_FROM_PATTERNS,
            "confidence": rule.confidence,
            "evidence_count": rule.evidence_count,
        }
        created += await remember(ai, user_id, "user", rule.content, tags) is not None
    return created


async def reprocess(*, days: int) -> Reprocessing:
    """Learn from the ratings of the last `days` days that taught nothing yet, the newest five
    hundred of them."""
    started = utc_now()
    values = {
        "since": started - timedelta(days=days),
        "example_scope": POSITIVE_EXAMPLE_SCOPE,
        "limit": _MOST_REPROCESSED,
    }
    async with get_ai_session() as ai:
        rows = await ai.execute(statement("agent/services/feedback_unlearned"), values)
        waiting = list(rows.scalars())
    lessons, errors = await learn_all(waiting)
    return {
        "job_type": "feedback_reprocessing",
        "status": "completed",
        "started_at": utc_text(started),
        "completed_at": utc_text(utc_now()),
        "feedback_processed": len(waiting),
        "actions_taken": len(lessons),
        "errors": errors,
    }
