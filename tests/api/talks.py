"""Chats of users of their own, written past the API and removed again with all they left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from ops.connection import connect
from tests.api.backend import Backend


@dataclass
class Talker:
    """A user with one conversation. `say` adds a message and returns its id."""

    backend: Backend
    of_core: psycopg.Connection
    of_ai: psycopg.Connection
    email: str = field(default_factory=lambda: f"{uuid4()}@example.com")
    id: UUID = field(default_factory=uuid4)
    conversation: UUID = field(default_factory=uuid4)
    portfolio: UUID = field(default_factory=uuid4)

    def client(self) -> httpx.Client:
        return self.backend.client(self.email, self.id)

    def say(self, role: str, content: str | None) -> UUID:
        message = uuid4()
        self.core(
            "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls,"
            " created_at) VALUES (%s, %s, %s, %s, '[]', clock_timestamp())",
            [message, self.conversation, role, content],
        )
        return message

    def core(self, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
        return _rows(self.of_core.execute(statement.encode(), values))

    def ai(self, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
        return _rows(self.of_ai.execute(statement.encode(), values))

    def memories(self) -> list[tuple[Any, ...]]:
        return self.ai(
            "SELECT content, tags FROM ai_memories WHERE user_id = %s ORDER BY created_at",
            [self.id],
        )

    def examples(self) -> list[tuple[Any, ...]]:
        return self.ai(
            "SELECT content, metadata FROM ai_kb_documents"
            " WHERE scope = 'feedback:positive_example' AND metadata ->> 'user_id' = %s",
            [str(self.id)],
        )


def _rows(cursor: Any) -> list[tuple[Any, ...]]:
    return cursor.fetchall() if cursor.description else []


@contextmanager
def talking(backend: Backend) -> Iterator[Talker]:
    with (
        connect(backend.core, application_name="tests", autocommit=True) as core,
        connect(backend.ai, application_name="tests", autocommit=True) as ai,
    ):
        talker = Talker(backend, core, ai)
        _add(talker)
        try:
            yield talker
        finally:
            _remove(talker)


def _add(talker: Talker) -> None:
    talker.core(
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        " updated_at) VALUES (%s, %s, 'x', 'Talker', true, now(), now())",
        [talker.id, talker.email],
    )
    talker.core(
        "INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active,"
        " currency, created_at, updated_at)"
        " VALUES (%s, %s, 'Own', 'Own', 'taxable', true, 'USD', now(), now())",
        [talker.portfolio, talker.id],
    )
    talker.core(
        "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        " metadata) VALUES (%s, %s, 'green', 'openai', now(), now(), '{}')",
        [talker.conversation, talker.id],
    )


def _remove(talker: Talker) -> None:
    messages = talker.core(
        "SELECT id FROM agent_messages WHERE conversation_id = %s", [talker.conversation]
    )
    ids = [row[0] for row in messages]
    talker.ai("DELETE FROM ai_feedback WHERE message_id = ANY(%s)", [ids])
    talker.ai("DELETE FROM ai_memories WHERE user_id = %s", [talker.id])
    talker.ai("DELETE FROM ai_kb_documents WHERE metadata ->> 'user_id' = %s", [str(talker.id)])
    talker.core("DELETE FROM agent_conversations WHERE id = %s", [talker.conversation])
    talker.core("DELETE FROM portfolios WHERE id = %s", [talker.portfolio])
    talker.core("DELETE FROM users WHERE id = %s", [talker.id])
