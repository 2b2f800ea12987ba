"""Whether the backend can serve: its databases, their revisions, its reference data."""

import asyncio
from functools import cache
from typing import Literal

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import QueuePool
from typing_extensions import TypedDict

from app.chain_folders import SCRIPT_LOCATIONS, ChainName, known_revisions
from app.config import get_settings
from app.database import ai_engine, core_engine
from app.database_url import same_database
from app.gate.serving_pair import serving_pair
from app.migration_recognition import SHARED_AI_VERSION_TABLE, VERSION_TABLE
from app.sql_files import statement

REQUIRED_FACTORS = 8
REQUIRED_SCENARIOS = 18
_PATIENCE_SECONDS = 5.0


class DatabaseState(TypedDict):
    """A database: whether it answers, and at which revision of which chain's head it is."""

    status: Literal["ok", "behind", "legacy", "unreachable"]
    revision: str | None
    head: str


class PoolState(TypedDict):
    """Connections of an engine."""

    size: int
    checked_out: int
    overflow: int


class Readiness(TypedDict):
    """Whether requests can be served."""

    status: Literal["ready", "not ready"]
    databases: dict[str, DatabaseState]
    pools: dict[str, PoolState]


class Requirement(TypedDict):
    """How many rows there are, and how many there must be."""

    current: int
    required: int
    status: Literal["ok", "incomplete"]


class Prerequisites(TypedDict):
    """Whether the reference data is there."""

    factors: Requirement
    scenarios: Requirement
    overall_status: Literal["ok", "incomplete", "error"]


async def readiness() -> Readiness:
    """Ask both databases now; neither may take longer than a few seconds."""
    core, ai = await asyncio.gather(_state("core", core_engine()), _state("ai", ai_engine()))
    new = (serving_pair.get() or get_settings().ACTIVE_PAIR) == "new"
    good = {core["status"], ai["status"]} <= ({"ok"} if new else {"ok", "legacy"})
    return {
        "status": "ready" if good else "not ready",
        "databases": {"core": core, "ai": ai},
        "pools": {"core": _pool(core_engine()), "ai": _pool(ai_engine())},
    }


async def prerequisites(session: AsyncSession) -> Prerequisites:
    """Count the reference data that analytics need."""
    row = (await session.execute(statement("prerequisites"))).one()
    factors = _requirement(row.factors, REQUIRED_FACTORS)
    scenarios = _requirement(row.scenarios, REQUIRED_SCENARIOS)
    good = factors["status"] == scenarios["status"] == "ok"
    return {
        "factors": factors,
        "scenarios": scenarios,
        "overall_status": "ok" if good else "incomplete",
    }


def _requirement(current: int, required: int) -> Requirement:
    enough = current >= required
    return {
        "current": current,
        "required": required,
        "status": "ok" if enough else "incomplete",
    }


async def _state(chain: ChainName, engine: AsyncEngine) -> DatabaseState:
    head = _head(chain)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            revision = await _revision(chain, engine)
    except (SQLAlchemyError, TimeoutError, OSError):
        return {"status": "unreachable", "revision": None, "head": head}
    return {"status": _judged(revision, head), "revision": revision, "head": head}


def _judged(revision: str | None, head: str) -> Literal["ok", "behind", "legacy"]:
    if revision == head:
        return "ok"
    return "behind" if revision is None or revision in known_revisions() else "legacy"


@cache
def _head(chain: ChainName) -> str:
    return ScriptDirectory(str(SCRIPT_LOCATIONS[chain])).get_current_head() or ""


async def _revision(chain: ChainName, engine: AsyncEngine) -> str | None:
    """The revision that the database holds for a chain; None where no chain ever ran."""
    async with engine.connect() as connection:
        tables = await connection.run_sync(_version_tables)
        name = SHARED_AI_VERSION_TABLE if _is_shared(chain, tables) else VERSION_TABLE
        if name not in tables:
            return None
        revision = table(name, column("version_num")).c.version_num
        return (await connection.execute(select(revision).order_by(revision))).scalars().first()


def _version_tables(connection: Connection) -> set[str]:
    present = inspect(connection).get_table_names()
    return {VERSION_TABLE, SHARED_AI_VERSION_TABLE} & set(present)


def _is_shared(chain: ChainName, tables: set[str]) -> bool:
    shared = same_database(*get_settings().addresses(serving_pair.get()))
    return chain == "ai" and shared and SHARED_AI_VERSION_TABLE in tables


def _pool(engine: AsyncEngine) -> PoolState:
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return {
        "size": pool.size(),
        "checked_out": pool.checkedout(),
        "overflow": max(0, pool.overflow()),
    }
