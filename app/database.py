"""Two engines, Core and AI, and the sessions that the backend opens on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from app.config import get_settings
from app.gate.serving_pair import Pair, serving_pair

RECYCLE_SECONDS = 1800

_engines: dict[Pair | None, tuple[AsyncEngine, AsyncEngine]] = {}


def _engine(url: URL, *, pool_size: int, max_overflow: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
    )
    event.listen(engine.sync_engine, "connect", _prepare_unless_pooled)
    return engine


def _prepare_unless_pooled(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """A pooler may give each transaction another server process, which knows no statement that was
    prepared before. It is told by the process number, which it makes up."""
    driver = connection.driver_connection
    assert driver is not None  # it has just been opened
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    row = cursor.fetchone()
    cursor.close()
    connection.rollback()
    if row is None or row[0] != driver.info.backend_pid:
        driver.prepare_threshold = None


def core_engine() -> AsyncEngine:
    """The engine of everything but knowledge base, memories and feedback."""
    return engines_of(serving_pair.get())[0]


def ai_engine() -> AsyncEngine:
    """The engine of knowledge base, memories and feedback."""
    return engines_of(serving_pair.get())[1]


def engines_of(pair: Pair | None) -> tuple[AsyncEngine, AsyncEngine]:
    """Both engines of a pair; None: of the only one that the process has."""
    if pair not in _engines:
        core, ai = get_settings().addresses(pair)
        _engines[pair] = (
            _engine(core, pool_size=10, max_overflow=20),
            _engine(ai, pool_size=5, max_overflow=10),
        )
    return _engines[pair]


async def close_connections(pair: Pair | None = None) -> None:
    """Close what is open to a pair, or to all, and not in use."""
    for known, engines in list(_engines.items()):
        if pair in (None, known):
            for engine in engines:
                await engine.dispose()


def CoreSessionLocal() -> AsyncSession:
    """A new session on Core; the caller closes it."""
    return async_sessionmaker(core_engine(), expire_on_commit=False)()


def AiSessionLocal() -> AsyncSession:
    """A new session on AI; the caller closes it."""
    return async_sessionmaker(ai_engine(), expire_on_commit=False)()


@asynccontextmanager
async def get_core_session() -> AsyncIterator[AsyncSession]:
    """A Core session that is committed at the end of its block, and rolled back when that fails."""
    async with _ended(CoreSessionLocal()) as session:
        yield session


@asynccontextmanager
async def get_ai_session() -> AsyncIterator[AsyncSession]:
    """An AI session that is committed at the end of its block, and rolled back when that fails."""
    async with _ended(AiSessionLocal()) as session:
        yield session


@asynccontextmanager
async def _ended(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Also what has only read is committed: with a ROLLBACK psycopg forgets what it has prepared,
    and each statement is parsed and planned anew."""
    async with session:
        try:
            yield session
        except BaseException:
            await session.rollback()
            raise
        await session.commit()


async def get_db() -> AsyncIterator[AsyncSession]:
    """FastAPI dependency: a Core session for one request."""
    async with get_core_session() as session:
        yield session


async def get_ai_db() -> AsyncIterator[AsyncSession]:
    """FastAPI dependency: an AI session for one request."""
    async with get_ai_session() as session:
        yield session


# Names that the original's code imports.
get_async_session = get_core_session
AsyncSessionLocal = CoreSessionLocal
