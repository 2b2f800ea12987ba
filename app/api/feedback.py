"""/chat/messages/{message_id}/feedback: how good an answer was."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.agent.services import feedback_service
from app.agent.services.feedback_learning import learn_later
from app.agent.services.feedback_service import Feedback, Rating
from app.api.dependencies import Ai, Core, CurrentUser
from app.api.storable import Text
from app.json_response import JsonResponse

_LONGEST_EDIT = 50_000
_LONGEST_COMMENT = 5_000

router = APIRouter(prefix="/chat/messages/{message_id}/feedback", tags=["feedback"])


class NewFeedback(BaseModel):
    """A rating; `edited_text` is the answer as the user would have had it."""

    rating: Rating
    edited_text: Annotated[Text, Field(max_length=_LONGEST_EDIT)] | None = None
    comment: Annotated[Text, Field(max_length=_LONGEST_COMMENT)] | None = None


@router.post("", response_model=Feedback)
async def rate(
    message_id: UUID, feedback: NewFeedback, user: CurrentUser, session: Core, ai: Ai
) -> JsonResponse:
    """Rate an answer, or change the rating. What it teaches is learned afterwards."""
    await feedback_service.require_own_message(session, user.id, message_id, answer=True)
    rated = await feedback_service.rate(
        ai, user.id, message_id, feedback.rating, feedback.edited_text, feedback.comment
    )
    learn_later(UUID(rated["id"]))
    return JsonResponse(rated)


@router.get("", response_model=Feedback | None)
async def feedback_of(message_id: UUID, user: CurrentUser, session: Core, ai: Ai) -> JsonResponse:
    """The rating of a message, or null."""
    await feedback_service.require_own_message(session, user.id, message_id)
    return JsonResponse(await feedback_service.feedback_of(ai, message_id))


@router.delete("", status_code=204)
async def delete_feedback(message_id: UUID, user: CurrentUser, session: Core, ai: Ai) -> Response:
    """Withdraw a rating, and what it taught."""
    await feedback_service.require_own_message(session, user.id, message_id)
    await feedback_service.delete_feedback(ai, message_id)
    return Response(status_code=204)
