"""/chat: conversations, and the stream that answers a message."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.agent import conversations
from app.agent.chat import send
from app.agent.context import ChatContext
from app.agent.conversations import Conversation, ModeChange
from app.api.dependencies import Core, CurrentUser, current_user_id
from app.api.event_stream import EventStream
from app.api.refused import refusals
from app.api.storable import JsonObject, Text
from app.gate.gate import before_stream
from app.json_response import JsonResponse

router = APIRouter(prefix="/chat", tags=["chat"])

_LARGEST_OFFSET = 1_000_000
_MOST_PORTFOLIOS = 50
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {}}},
    **refusals(409, 429),
}


Mode = Literal["green", "blue", "indigo", "violet"]


class PageContext(BaseModel):
    """What the client shows: portfolios of the caller, and the page."""

    portfolio_id: UUID | None = None
    portfolio_ids: Annotated[list[UUID], Field(max_length=_MOST_PORTFOLIOS)] | None = None
    page_hint: Annotated[Text, Field(max_length=80)] | None = None
    route: Annotated[Text, Field(max_length=200)] | None = None

    def context(self, selection: dict[str, Any] | None = None) -> ChatContext:
        """The same for the chat."""
        several = tuple(dict.fromkeys(self.portfolio_ids or ()))
        return ChatContext(
            self.portfolio_id, several, self.page_hint or None, self.route or None, selection
        )


class NewConversation(PageContext):
    """A conversation to begin."""

    mode: Mode = "green"


class UiContext(PageContext):
    """What the client shows while the message is sent."""

    selection: JsonObject | None = None


class NewMessage(BaseModel):
    """A message to answer. "/mode x" switches the conversation's mode and does no more. One that is
    sent again with its `message_id` is stored once."""

    conversation_id: UUID
    text: Annotated[Text, Field(min_length=1, max_length=4000)]
    ui_context: UiContext | None = None
    message_id: UUID | None = None

    def context(self) -> ChatContext:
        """What the message says anew about its context."""
        shown = self.ui_context
        return shown.context(shown.selection) if shown else ChatContext()


class NewMode(BaseModel):
    """How to answer from now on."""

    mode: Mode


@router.post("/conversations", status_code=201, response_model=Conversation)
async def create_conversation(body: NewConversation, user: CurrentUser, session: Core) -> Response:
    """Begin a conversation. Without portfolios it is about all of the caller's."""
    begun = await conversations.create_conversation(session, user.id, body.mode, body.context())
    return JsonResponse(begun, status_code=201)


@router.get("/conversations", response_model=list[Conversation])
async def list_conversations(
    user: CurrentUser,
    session: Core,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    offset: Annotated[int, Query(ge=0, le=_LARGEST_OFFSET)] = 0,
) -> Response:
    """The caller's conversations, newest first."""
    return JsonResponse(
        await conversations.list_conversations(session, user.id, limit=limit, offset=offset)
    )


@router.get("/conversations/{conversation_id}", response_model=Conversation)
async def get_conversation(conversation_id: UUID, user: CurrentUser, session: Core) -> Response:
    """One conversation of the caller."""
    return JsonResponse(await conversations.get_conversation(session, user.id, conversation_id))


@router.put("/conversations/{conversation_id}/mode", response_model=ModeChange)
async def change_mode(
    conversation_id: UUID, body: NewMode, user: CurrentUser, session: Core
) -> Response:
    """Answer in another style from now on."""
    return JsonResponse(
        await conversations.change_mode(session, user.id, conversation_id, body.mode)
    )


@router.delete("/conversations/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: UUID, user: CurrentUser, session: Core) -> Response:
    """Delete a conversation with its messages and their feedback."""
    await conversations.delete_conversation(session, user.id, conversation_id)
    return Response(status_code=204)


# Who calls is checked by the statement that opens the turn, so no session of the request is needed.
@router.post("/send", response_class=StreamingResponse, responses=_STREAM)
async def send_message(
    body: NewMessage, user_id: Annotated[UUID, Depends(current_user_id)]
) -> Response:
    """Answer a message as a stream of server-sent events."""
    await before_stream()
    turn = await send(user_id, body.conversation_id, body.text, body.context(), body.message_id)
    return EventStream(turn)
