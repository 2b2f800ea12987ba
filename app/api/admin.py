"""/admin/feedback: what ratings say, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.agent.services import feedback_jobs, feedback_review
from app.agent.services.feedback_jobs import LearningRun, Reprocessing
from app.agent.services.feedback_review import (
    FeedbackSummary,
    LearnedPreferences,
    LearningStats,
    NegativeFeedbackList,
    UserPatterns,
)
from app.api.dependencies import Admin, Ai, Core
from app.api.refused import refusals
from app.json_response import JsonResponse

Days = Annotated[int, Query(ge=1, le=365)]
Confidence = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]

router = APIRouter(prefix="/admin/feedback", tags=["administration"], responses=refusals(403))


@router.get("/summary", response_model=FeedbackSummary)
async def summary(
    _: Admin, ai: Ai, session: Core, days: Days = 30, user_id: UUID | None = None
) -> JsonResponse:
    """Ratings of a period, of one user or of all."""
    return JsonResponse(
        await feedback_review.feedback_summary(ai, session, days=days, user_id=user_id)
    )


@router.get("/patterns", response_model=UserPatterns)
async def user_patterns(
    _: Admin, ai: Ai, session: Core, user_id: UUID, min_confidence: Confidence = 0.5
) -> JsonResponse:
    """What a user's ratings of the last 30 days have in common."""
    return JsonResponse(await feedback_review.user_patterns(ai, session, user_id, min_confidence))


@router.get("/negative", response_model=NegativeFeedbackList)
async def negative(
    _: Admin,
    ai: Ai,
    session: Core,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    days: Days = 30,
    with_edits_only: bool = False,
) -> JsonResponse:
    """The newest bad ratings with what was rated."""
    return JsonResponse(
        await feedback_review.negative_feedback(
            ai, session, limit=limit, days=days, with_edits_only=with_edits_only
        )
    )


@router.get("/learned-preferences", response_model=LearnedPreferences)
async def learned_preferences(
    _: Admin, ai: Ai, user_id: UUID | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> JsonResponse:
    """The newest memories that ratings taught."""
    return JsonResponse(await feedback_review.learned_preferences(ai, user_id=user_id, limit=limit))


@router.get("/stats", response_model=LearningStats)
async def stats(_: Admin, ai: Ai) -> JsonResponse:
    """All ratings there are."""
    return JsonResponse(await feedback_review.learning_stats(ai))


@router.post("/run-learning", response_model=LearningRun)
async def run_learning(_: Admin, min_confidence: Confidence = 0.7, days: Days = 30) -> JsonResponse:
    """Look for patterns in every user's ratings and remember them."""
    return JsonResponse(await feedback_jobs.run_learning(min_confidence=min_confidence, days=days))


@router.post("/reprocess", response_model=Reprocessing)
async def reprocess(_: Admin, days: Annotated[int, Query(ge=1, le=30)] = 7) -> JsonResponse:
    """Learn from ratings that taught nothing yet."""
    return JsonResponse(await feedback_jobs.reprocess(days=days))
