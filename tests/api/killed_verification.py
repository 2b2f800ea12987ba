"""A verification that is killed while the chat answers, and what it leaves."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
from sqlalchemy.engine import URL

from app.chain_folders import PROJECT_ROOT
from ops.connection import connect, conninfo
from ops.demo.book import derived_id
from tests.api.tampering import between, passed_on
from tests.integration.verify_http.tiny_server import Behaviour, Chunks, Request, serving

USER = "demo_individual@sigmasight.com"


@dataclass(frozen=True)
class Verified:
    """A backend in a process of its own, with its databases and its log."""

    url: str
    core: URL
    ai: URL
    log: Path


@dataclass(frozen=True)
class Exchange:
    """An answer of the chat in its conversation."""

    conversation: str
    message: str


PROGRAM = """
import json, sys
from datetime import date
from app.database_url import parse_database_url
from ops.probe_accounts import demo_accounts
from ops.verify import Subject
from ops.verify.http.checks import http_checks
from ops.verify.http.exchange import HttpTarget
from ops.verify.run import answer
core, ai, url = json.load(sys.stdin)
subject = Subject(
    parse_database_url(core), parse_database_url(ai), None, date(2025, 7, 1), date(2025, 7, 2)
)
for check in http_checks(HttpTarget(url, demo_accounts("unused"))):
    if check.name == "chat":
        print(answer(subject, check))
"""


def kill_in_the_chat(backend: Verified) -> Exchange:
    """Kill a verification that has heard the beginning of an answer."""
    with (
        between(backend.url, lambda request, body: None) as sound,
        serving(_stalling(sound)) as url,
    ):
        given = [conninfo(backend.core), conninfo(backend.ai), url]
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
            text=True,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(given))
            process.stdin.close()
            found = _wait_for_message(backend)
            process.kill()
    return found


def _stalling(backend: str) -> Behaviour:
    """Pass everything on, but stop in the middle of the chat's stream."""

    def behave(request: Request) -> Chunks:
        if not request.path.endswith("/chat/send"):
            yield passed_on(backend, request)
            return
        headers = {
            "Authorization": f"Bearer {request.token}",
            "Content-Type": "application/json",
        }
        address = f"{backend}{request.path}"
        with httpx.stream("POST", address, content=request.body, headers=headers) as found:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            yield next(found.iter_raw())
        while True:
            time.sleep(0.05)
            yield b": still here\n\n"

    return behave


def _wait_for_message(backend: Verified) -> Exchange:
    deadline = time.monotonic() + 60
    with connect(backend.core, application_name="tests", autocommit=True) as core:
        while time.monotonic() < deadline:
            row = core.execute(
                "SELECT c.id::text, m.id::text FROM agent_conversations AS c "
                "JOIN agent_messages AS m ON m.conversation_id = c.id "
                "WHERE c.metadata ->> 'route' = '/verification' AND m.role = 'assistant'"
            ).fetchone()
            if row is not None:
                return Exchange(*row)
            time.sleep(0.05)
    raise AssertionError("the verification never came to the chat")


def users_own(backend: Verified) -> Exchange:
    """An exchange of the same user's own."""
    conversation, message = str(uuid4()), str(uuid4())
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "INSERT INTO agent_conversations "
            "(id, user_id, mode, provider, created_at, updated_at, metadata) "
            "VALUES (%s, %s, 'green', 'openai', now(), now(), '{\"route\": \"/portfolio\"}')",
            [conversation, derived_id("user", USER)],
        )
        core.execute(
            "INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at) "
            "VALUES (%s, %s, 'assistant', '[]', now())",
            [message, conversation],
        )
    return Exchange(conversation, message)


def add_traces(backend: Verified, of: Exchange) -> None:
    """Feedback and a memory that hang on an exchange."""
    with connect(backend.ai, application_name="tests") as ai:
        ai.execute("INSERT INTO ai_feedback (message_id, rating) VALUES (%s, 'up')", [of.message])
        ai.execute(
            "INSERT INTO ai_memories (user_id, scope, content, tags) VALUES (%s, 'user', 'x', %s)",
            [derived_id("user", USER), json.dumps({"conversation_id": of.conversation})],
        )


def traces(backend: Verified, of: Exchange) -> tuple[int, ...]:
    """How many messages, ratings and memories there are of an exchange."""
    with (
        connect(backend.core, application_name="tests") as core,
        connect(backend.ai, application_name="tests") as ai,
    ):
        rows = (
            core.execute(
                "SELECT count(*) FROM agent_messages WHERE id = %s", [of.message]
            ).fetchone(),
            ai.execute(
                "SELECT count(*) FROM ai_feedback WHERE message_id = %s", [of.message]
            ).fetchone(),
            ai.execute(
                "SELECT count(*) FROM ai_memories WHERE tags ->> 'conversation_id' = %s",
                [of.conversation],
            ).fetchone(),
        )
    return tuple(row[0] for row in rows if row)
