"""Two engines, Core and AI, and the sessions that the backend opens on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.config import get_settings

RECYCLE_SECONDS = 1800


def _engine(url: URL, *, pool_size: int, max_overflow: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
    )


@lru_cache
def core_engine() -> AsyncEngine:
    """The engine of everything but knowledge base, memories and feedback."""
    return _engine(get_settings().core_database_url, pool_size=10, max_overflow=20)


@lru_cache
def ai_engine() -> AsyncEngine:
    """The engine of knowledge base, memories and feedback."""
    return _engine(get_settings().ai_database_url, pool_size=5, max_overflow=10)


def CoreSessionLocal() -> AsyncSession:
    """A new session on Core; the caller closes it."""
    return async_sessionmaker(core_engine(), expire_on_commit=False)()


def AiSessionLocal() -> AsyncSession:
    """A new session on AI; the caller closes it."""
    return async_sessionmaker(ai_engine(), expire_on_commit=False)()


@asynccontextmanager
async def get_core_session() -> AsyncIterator[AsyncSession]:
    """A Core session that is rolled back when its block fails."""
    async with _rolled_back_on_error(CoreSessionLocal()) as session:
        yield session


@asynccontextmanager
async def get_ai_session() -> AsyncIterator[AsyncSession]:
    """An AI session that is rolled back when its block fails."""
    async with _rolled_back_on_error(AiSessionLocal()) as session:
        yield session


@asynccontextmanager
async def _rolled_back_on_error(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    async with session:
        try:
            yield session
        except BaseException:
            await session.rollback()
            raise


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
