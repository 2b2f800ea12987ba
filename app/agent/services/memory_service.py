"""What the agent remembers of a user: short sentences, at most fifty.

Everything here takes a session on AI. What writes commits.
"""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.errors import BadRequestError
from app.json_response import json_bytes, json_row
from app.locks import hold
from app.models import AiMemory
from app.sql_files import statement

MemoryScope = Literal["user", "portfolio", "global"]

MOST_MEMORIES = 50
LONGEST_MEMORY = 500

_LONGEST_PROMPT = 1_000
_GENERAL_IN_PROMPT, _OF_PORTFOLIO_IN_PROMPT = 10, 5


class Memory(TypedDict):
    """A memory as the API shows it."""

    id: str
    scope: str
    content: str
    tags: dict[str, Any]
    created_at: str


_COLUMNS = [getattr(AiMemory, name) for name in Memory.__annotations__]


class MemoryList(TypedDict):
    """Some memories of a user; `total` counts all of them."""

    memories: list[Memory]
    total: int
    limit: int


async def list_memories(
    ai: AsyncSession,
    user_id: UUID,
    *,
    scope: MemoryScope | None = None,
    portfolio_id: UUID | None = None,
    limit: int = MOST_MEMORIES,
) -> MemoryList:
    """The user's memories, newest first; of one scope or one portfolio where asked."""
    query = select(*_COLUMNS).where(AiMemory.user_id == user_id)
    if scope is not None:
        query = query.where(AiMemory.scope == scope)
    if portfolio_id is not None:
        query = query.where(AiMemory.tags["portfolio_id"].astext == str(portfolio_id))
    newest = query.order_by(AiMemory.created_at.desc(), AiMemory.id.desc()).limit(limit)
    rows = (await ai.execute(newest)).all()
    return {
        "memories": [json_row(Memory, row) for row in rows],
        "total": await count_memories(ai, user_id),
        "limit": limit,
    }


async def count_memories(ai: AsyncSession, user_id: UUID) -> int:
    """How many memories the user has."""
    query = select(func.count()).select_from(AiMemory).where(AiMemory.user_id == user_id)
    found: int = (await ai.execute(query)).scalar_one()
    return found


async def add_memory(
    ai: AsyncSession,
    user_id: UUID,
    scope: MemoryScope,
    content: str,
    tags: dict[str, Any],
) -> Memory:
    """Store a memory, cut to 500 characters; beyond fifty the oldest go. Whoever calls makes sure
    that a `portfolio_id` among the tags is the user's.

    Raises:
        BadRequestError: there is nothing to remember.
    """
    row = await write_memory(ai, user_id, scope, content, tags, once=False)
    await ai.commit()
    if row is None:
        raise BadRequestError("A memory needs some content")
    return json_row(Memory, row)


async def remember(
    ai: AsyncSession,
    user_id: UUID,
    scope: MemoryScope,
    content: str,
    tags: dict[str, Any],
) -> Memory | None:
    """Store what was learned, unless it is empty, or is or is part of what the user's memories say
    already or the reverse; None then. The rest as `add_memory`."""
    row = await write_memory(ai, user_id, scope, content, tags, once=True)
    await ai.commit()
    return None if row is None else json_row(Memory, row)


async def write_memory(
    ai: AsyncSession,
    user_id: UUID,
    scope: MemoryScope,
    content: str,
    tags: dict[str, Any],
    *,
    once: bool,
) -> Row[Any] | None:
    """Write a memory without a commit; with `once`, only where it says something new."""
    short = content.strip()[:LONGEST_MEMORY]
    if not short:
        return None
    await hold(ai, f"memories {user_id}")
    values = {
        "user_id": user_id,
        "scope": scope,
        "content": short,
        "tags": json_bytes(tags).decode(),
        "once": once,
        "most_others": MOST_MEMORIES - 1,
    }
    return (await ai.execute(statement("agent/services/memory_add"), values)).one_or_none()


async def delete_memory(ai: AsyncSession, user_id: UUID, memory_id: UUID) -> bool:
    """Delete one memory of the user; whether there was one."""
    mine = delete(AiMemory).where(AiMemory.user_id == user_id, AiMemory.id == memory_id)
    found = (await ai.execute(mine.returning(AiMemory.id))).first() is not None
    await ai.commit()
    return found


async def delete_memories(ai: AsyncSession, user_id: UUID) -> int:
    """Delete all memories of the user; how many there were."""
    all_of_them = delete(AiMemory).where(AiMemory.user_id == user_id).returning(AiMemory.id)
    found = len((await ai.execute(all_of_them)).all())
    await ai.commit()
    return found


async def forget_conversation(ai: AsyncSession, user_id: UUID, conversation_id: UUID) -> int:
    """Take a conversation that is deleted off the user's memories, which stay; of how many."""
    named = AiMemory.tags["conversation_id"].astext == str(conversation_id)
    rest = AiMemory.tags.delete_path(array(["conversation_id"]))
    without = update(AiMemory).values(tags=rest)
    gone = without.where(AiMemory.user_id == user_id, named).returning(AiMemory.id)
    found = len((await ai.execute(gone)).all())
    await ai.commit()
    return found


async def memories_for_prompt(ai: AsyncSession, user_id: UUID, portfolio_id: UUID | None) -> str:
    """The newest ten memories that hold everywhere and the newest five of this portfolio, one a
    line; at most 1,000 characters, whole lines only."""
    values = {
        "user_id": user_id,
        "portfolio_id": str(portfolio_id) if portfolio_id else None,
        "most_general": _GENERAL_IN_PROMPT,
        "most_of_portfolio": _OF_PORTFOLIO_IN_PROMPT,
    }
    rows = (await ai.execute(statement("agent/services/memories_for_prompt"), values)).all()
    lines, room = list[str](), _LONGEST_PROMPT
    for row in rows:
        mark = "[portfolio] " if row.scope == "portfolio" else ""
        # On one line, so that a memory cannot pose as the rest of a prompt.
        line = f"- {mark}{' '.join(row.content.split())}"
        if len(line) < room:
            lines.append(line)
            room -= len(line) + 1
    return "\n".join(lines)
