"""The backend, served for real in a thread of the tests, and every statement that it sends."""

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
import uvicorn
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from app import config, database
from app.chain_folders import PROJECT_ROOT
from app.config import get_settings
from app.database import ai_engine, core_engine
from app.models import AiBase, Base
from ops.connection import conninfo
from ops.demo.book import derived_id
from ops.embedded.server import free_port

SECRET_KEY = "a secret of the tests, long enough"
_TABLES = {
    "core": re.compile(rf"\b({'|'.join(Base.metadata.tables)})\b"),
    "ai": re.compile(rf"\b({'|'.join(AiBase.metadata.tables)})\b"),
}


@dataclass
class Statements:
    """What went to the databases, in order.

    Attributes:
        strays: statements on a table of the other database.
    """

    sent: list[tuple[str, str]] = field(default_factory=list)
    strays: list[tuple[str, str]] = field(default_factory=list)

    def listen(self, name: str, engine: Engine) -> None:
        """Record what an engine sends."""
        other = _TABLES["ai" if name == "core" else "core"]

        def heard(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            self.sent.append((name, statement))
            if other.search(statement):
                self.strays.append((name, statement))

        event.listen(engine, "before_cursor_execute", heard)

    @contextmanager
    def counted(self) -> Iterator[list[tuple[str, str]]]:
        """The statements of a block, filled when it ends."""
        start, found = len(self.sent), list[tuple[str, str]]()
        yield found
        found.extend(self.sent[start:])


@dataclass
class Backend:
    """A backend that answers at `url`."""

    url: str
    core: URL
    ai: URL
    statements: Statements

    def client(self, email: str | None = None, user_id: UUID | None = None) -> httpx.Client:
        """A client, as the demo user of this e-mail address where one is given."""
        headers = {} if email is None else authorization(email, user_id)
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


def authorization(email: str, user_id: UUID | None = None) -> dict[str, str]:
    """The header of a user who logged in a moment ago; by default of the demo."""
    claims = {
        "sub": str(user_id or derived_id("user", email)),
        "email": email,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET_KEY, 'HS256')}"}


@dataclass
class BackendProcess:
    """A backend in a process of its own, as `uvicorn app.main:app` starts it."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def answering(self) -> str:
        """Its address, once something answers there."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                httpx.get(f"{self.url}/health", timeout=5)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return self.url
        raise AssertionError("the backend never answered")


@contextmanager
def backend_process(
    core: URL, ai: URL | None, folder: Path, **environment: str
) -> Iterator[BackendProcess]:
    """Start a backend (without `ai`: on one database); `folder` gets its log."""
    port, log = free_port(), folder / "backend.log"
    given = {
        "PYTHONPATH": str(PROJECT_ROOT),
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": conninfo(core),
        **({"AI_DATABASE_URL": conninfo(ai)} if ai else {}),
    }
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    with open(log, "w") as stderr:
        process = subprocess.Popen(command, env={**given, **environment}, cwd=folder, stderr=stderr)
    try:
        yield BackendProcess(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def serving(core: URL, ai: URL | None, environment: Mapping[str, str]) -> Iterator[Backend]:
    """Serve `core` and `ai` (None: one shared database) until the block ends.

    The environment is as before once the settings are read: the block may be a whole session, in
    which other tests read it too.
    """
    given = {"DATABASE_URL": conninfo(core), "SECRET_KEY": SECRET_KEY, **environment}
    if ai is not None:
        given["AI_DATABASE_URL"] = conninfo(ai)
    statements = Statements()
    with cached_settings(given):
        if ai is not None:
            statements.listen("core", core_engine().sync_engine)
            statements.listen("ai", ai_engine().sync_engine)
        with _served() as url:
            yield Backend(url, core, ai or core, statements)


@contextmanager
def cached_settings(given: Mapping[str, str]) -> Iterator[None]:
    """The backend's settings and engines are those of an environment until the block ends. A
    backend that this process serves for the whole session then has its own again."""
    known = get_settings() if get_settings.cache_info().currsize else None
    get_settings.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_engines", {})
        with pytest.MonkeyPatch.context() as environment:
            for name, value in given.items():
                environment.setenv(name, value)
            get_settings()
            core_engine()
        try:
            yield
        finally:
            get_settings.cache_clear()
            if known is not None:
                patch.setattr(config, "Settings", lambda: known)
                get_settings()


@contextmanager
def _served() -> Iterator[str]:
    from app.application import create_app

    port = free_port()
    config = uvicorn.Config(create_app(), host="127.0.0.1", port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the backend ended at its start"
        assert time.monotonic() < deadline, "the backend does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the backend does not stop"
