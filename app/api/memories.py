"""/chat/memories, and the same under /agent/memories: what the agent remembers of its user."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, field_validator
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.agent.services import memory_service
from app.agent.services.memory_service import MOST_MEMORIES, Memory, MemoryList, MemoryScope
from app.api.dependencies import Ai, Caller, Core, CurrentUser
from app.api.storable import FilledText, JsonObject
from app.errors import BadRequestError, NotFoundError
from app.json_response import JsonResponse
from app.ownership import owned_portfolio

_LONGEST_CONTENT = 10_000
# The system's own references: a caller's text there would pass for one.
_RESERVED_TAGS = frozenset({"portfolio_id", "feedback_id", "conversation_id"})


class NewMemory(BaseModel):
    """Something to remember. Beyond 500 characters the content is cut."""

    content: Annotated[FilledText, Field(max_length=_LONGEST_CONTENT)]
    scope: MemoryScope = "user"
    portfolio_id: UUID | None = None
    tags: JsonObject | None = None

    @field_validator("tags")
    @classmethod
    def _no_reserved_tag(cls, tags: dict[str, Any] | None) -> dict[str, Any] | None:
        reserved = _RESERVED_TAGS & (tags or {}).keys()
        if reserved:
            raise ValueError(f"{', '.join(sorted(reserved))}: not a tag of your own")
        return tags


class Deleted(TypedDict):
    """How many memories were deleted."""

    deleted: int


class MemoryCount(TypedDict):
    """How many memories there are, and how many there can be."""

    count: int
    max_allowed: int


_memories = APIRouter()


@_memories.get("", response_model=MemoryList)
async def list_memories(
    user: CurrentUser,
    session: Core,
    ai: Ai,
    scope: MemoryScope | None = None,
    portfolio_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = MOST_MEMORIES,
) -> JsonResponse:
    """The caller's memories, newest first."""
    await _require_own(session, user, portfolio_id)
    return JsonResponse(
        await memory_service.list_memories(
            ai, user.id, scope=scope, portfolio_id=portfolio_id, limit=limit
        )
    )


@_memories.post("", response_model=Memory, status_code=201)
async def add_memory(memory: NewMemory, user: CurrentUser, session: Core, ai: Ai) -> JsonResponse:
    """Remember something; beyond fifty memories the oldest is forgotten."""
    if memory.scope == "portfolio" and memory.portfolio_id is None:
        raise BadRequestError("portfolio_id is required for a memory of a portfolio")
    await _require_own(session, user, memory.portfolio_id)
    named = {"portfolio_id": str(memory.portfolio_id)} if memory.portfolio_id else {}
    tags = {**(memory.tags or {}), **named}
    added = await memory_service.add_memory(ai, user.id, memory.scope, memory.content, tags)
    return JsonResponse(added, status_code=201)


@_memories.delete("", response_model=Deleted)
async def delete_memories(user: CurrentUser, ai: Ai) -> JsonResponse:
    """Forget everything."""
    return JsonResponse({"deleted": await memory_service.delete_memories(ai, user.id)})


@_memories.get("/count", response_model=MemoryCount)
async def count_memories(user: CurrentUser, ai: Ai) -> JsonResponse:
    """How many memories the caller has."""
    count = await memory_service.count_memories(ai, user.id)
    return JsonResponse({"count": count, "max_allowed": MOST_MEMORIES})


@_memories.delete("/{memory_id}", status_code=204)
async def delete_memory(memory_id: UUID, user: CurrentUser, ai: Ai) -> Response:
    """Forget one memory."""
    if not await memory_service.delete_memory(ai, user.id, memory_id):
        raise NotFoundError("Memory not found")
    return Response(status_code=204)


async def _require_own(session: AsyncSession, user: Caller, portfolio_id: UUID | None) -> None:
    if portfolio_id is not None:
        await owned_portfolio(session, user.id, portfolio_id)


router = APIRouter(tags=["memories"])
for _prefix in ("/chat/memories", "/agent/memories"):
    router.include_router(_memories, prefix=_prefix)
