"""Two engines, Core and AI, and the sessions that the backend opens on them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from app.config import get_settings
from app.gate.serving_pair import Pair, serving_pair
from app.pool_sizes import LARGEST, Pool, sharing, sizes
from app.poolers import is_own_process
from app.sql_files import statement
from app.stalled import answered_within

RECYCLE_SECONDS = 1800
_PATIENCE_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
# Of libpq: seconds, but the last in milliseconds. Without them a network that drops everything is
# waited for as long as the system does, a quarter of an hour and more.
_BOUNDS = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# A database may have a DateStyle of its own in which the driver reads no time; libpq sends this
# with each login, through poolers too.
os.environ["PGDATESTYLE"] = "ISO, YMD"

_engines: dict[Pair | None, tuple[AsyncEngine, AsyncEngine]] = {}


def _engine(url: URL, most: int) -> AsyncEngine:
    """With a pool that opens at most so many connections, and keeps a third of them. What the
    address says of time-outs holds. Encoding and isolation are ours, whatever role or database
    bring: both come with what is sent anyway, which a pooler passes on."""
    kept = max(1, most // 3)
    engine = create_async_engine(
        url,
        connect_args={
            **{name: bound for name, bound in _BOUNDS.items() if name not in url.query},
            "client_encoding": "UTF8",
        },
        isolation_level="READ COMMITTED",
        pool_size=kept,
        max_overflow=most - kept,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
    )
    event.listen(engine.sync_engine, "connect", _prepare_unless_pooled)
    dialect = engine.dialect
    dialect.do_ping = partial(_answers, dialect.do_ping)  # type: ignore[method-assign]
    return engine


def _answers(ping: Callable[[DBAPIConnection], bool], connection: DBAPIConnection) -> bool:
    """Whether what lay in the pool is alive; one that has stalled is as good as gone."""
    with answered_within(_ANSWER_SECONDS, driver_of(connection)):
        return ping(connection)


def driver_of(connection: DBAPIConnection | PoolProxiedConnection) -> AsyncConnection[Any]:
    """What psycopg has opened."""
    driver: AsyncConnection[Any] | None = connection.driver_connection
    assert driver is not None  # it is open
    return driver


def _prepare_unless_pooled(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """A pooler may give each transaction another server process, which knows no statement that was
    prepared before."""
    driver = driver_of(connection)
    cursor = connection.cursor()
    with answered_within(_ANSWER_SECONDS, driver):
        cursor.execute("SELECT pg_backend_pid()")
        row = cursor.fetchone()
        cursor.close()
        connection.rollback()
    if row is None or not is_own_process(row[0], driver.info):
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
        most = sizes([(pair, "core"), (pair, "ai")], None, 1)
        _engines[pair] = _engine(core, most[pair, "core"]), _engine(ai, most[pair, "ai"])
    return _engines[pair]


async def size_pools() -> None:
    """Make the engines of every pair that the process may serve, with pools that fit the servers:
    all of them at once, in each of BACKEND_REPLICAS processes. A server that does not answer now
    bounds nothing."""
    settings = get_settings()
    held: tuple[Pair | None, ...] = (None,)
    if settings.ACTIVE_PAIR == "gate":
        held = ("new", "old") if settings.LEGACY_DATABASE_URL is not None else ("new",)
    addresses = {
        (pair, half): url
        for pair in held
        for half, url in zip(LARGEST, settings.addresses(pair), strict=True)
    }
    fitting: dict[Pool, int] = {}
    for pools, urls in sharing(addresses.items()):
        rooms = await asyncio.gather(*map(_room, dict.fromkeys(urls)))
        known = [room for room in rooms if room is not None]
        fitting |= sizes(pools, min(known, default=None), settings.BACKEND_REPLICAS)
    for pair in held:
        core, ai = (_engine(addresses[pair, half], fitting[pair, half]) for half in LARGEST)
        _engines.setdefault(pair, (core, ai))


async def _room(url: URL) -> int | None:
    """How many connections a server allows; None where it does not answer, or a pooler does, whose
    own limits hold then."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), engine.connect() as connection:
            row = (await connection.execute(statement("connection_room"))).one()
            driver = driver_of(await connection.get_raw_connection())
            return row.room if is_own_process(row.process, driver.info) else None
    except (SQLAlchemyError, OSError, TimeoutError):
        return None


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
    """A Core session that is committed at its end, and rolled back when what uses it fails. FastAPI
    has it for one request, `get_core_session` for one block."""
    async with _ended(CoreSessionLocal()) as session:
        yield session


async def get_ai_db() -> AsyncIterator[AsyncSession]:
    """The same on AI; `get_ai_session` for one block."""
    async with _ended(AiSessionLocal()) as session:
        yield session


get_core_session = asynccontextmanager(get_db)
get_ai_session = asynccontextmanager(get_ai_db)

# Names that the original's code imports.
get_async_session = get_core_session
AsyncSessionLocal = CoreSessionLocal


def first_line(error: Exception) -> str:
    """What the driver said, without statement and parameters."""
    original = getattr(error, "orig", None) or error
    return (str(original).splitlines() or [type(error).__name__])[0]
