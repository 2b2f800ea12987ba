"""One of everything that a user can own."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
from psycopg.types.json import Jsonb

from ops.connection import connect
from tests.api.backend import Backend


@contextmanager
def belongings(backend: Backend, email: str) -> Iterator[dict[str, str]]:
    """Ids of what a demo user owns, by the name of the parameter that takes each; what had to be
    made is removed again."""
    user, portfolio, position = _of_the_demo(backend, email)
    with backend.client(email) as owner:
        memory = _made(owner.post("/api/v1/chat/memories", json=_MEMORY))
        chat = _made(owner.post("/api/v1/chat/conversations", json={"portfolio_id": portfolio}))
        job, message, target = str(uuid4()), str(uuid4()), str(uuid4())
        with connect(backend.core, application_name="tests") as core:
            core.execute(_MESSAGE, [message, chat])
            core.execute(_JOB, [job, Jsonb({"portfolio_id": portfolio, "user_id": user})])
            core.execute(_TARGET, [target, portfolio])
        yield {
            "user_id": user,
            "portfolio_id": portfolio,
            "portfolio_ids": portfolio,
            "position_id": position,
            "position_ids": position,
            "conversation_id": chat,
            "message_id": message,
            "memory_id": memory,
            "batch_run_id": job,
            "target_price_id": target,
        }
        owner.delete(f"/api/v1/chat/memories/{memory}")
        owner.delete(f"/api/v1/chat/conversations/{chat}")
        with connect(backend.core, application_name="tests") as core:
            core.execute("DELETE FROM batch_jobs WHERE id = %s", [job])
            core.execute("DELETE FROM portfolio_target_prices WHERE id = %s", [target])


def _of_the_demo(backend: Backend, email: str) -> tuple[str, str, str]:
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT u.id::text, p.id::text, x.id::text FROM users u JOIN portfolios p "
            "ON p.user_id = u.id JOIN positions x ON x.portfolio_id = p.id "
            "WHERE u.email = %s ORDER BY 2, 3 LIMIT 1",
            [email],
        ).fetchone()
    assert row is not None
    return row


def _made(response: httpx.Response) -> str:
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


_MEMORY = {"scope": "user", "content": "prefers short answers"}
_MESSAGE = """
    INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
    VALUES (%s, %s, 'assistant', 'hello', '[]', now())
"""
_JOB = """
    INSERT INTO batch_jobs (id, job_name, job_type, status, job_metadata, created_at, updated_at)
    VALUES (%s, 'calculate', 'backfill', 'completed', %s, now(), now())
"""
_TARGET = """
    INSERT INTO portfolio_target_prices (
        id, portfolio_id, symbol, current_price, created_at, updated_at)
    VALUES (%s, %s, 'SPY', 600, now(), now())
"""
