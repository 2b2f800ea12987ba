"""Whether the backend can serve: its databases, their revisions, its reference data."""

import asyncio
import logging
from functools import cache
from typing import Literal, NotRequired

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, inspect, select, table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.pool import QueuePool
from typing_extensions import TypedDict

from app.chain_folders import SCRIPT_LOCATIONS, ChainName, known_revisions
from app.config import get_settings
from app.database import ai_engine, core_engine, first_line
from app.database_url import same_database
from app.gate.serving_pair import serving_pair
from app.migration_recognition import LEGACY_SHAPE, SHARED_AI_VERSION_TABLE, VERSION_TABLE
from app.sql_files import statement

REQUIRED_FACTORS = 8
REQUIRED_SCENARIOS = 18
_PATIENCE_SECONDS = 5.0
_NOT_FOUND = text(
    "SELECT string_agg(name, ', ' ORDER BY name), current_setting('search_path') "
    "FROM unnest(cast(:names AS text[])) AS name WHERE to_regclass(name) IS NULL"
)

_log = logging.getLogger("sigmasight.readiness")


class _Judged(TypedDict):
    status: Literal["ok", "behind", "legacy", "incomplete", "unreachable"]
    reason: NotRequired[str]


class DatabaseState(_Judged):
    """A database: whether it answers, and at which revision of which chain's head it is; `reason`
    is what an old one lacks."""

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
    good = {core["status"], ai["status"]} <= ({"ok"} if _pair() == "new" else {"ok", "legacy"})
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
        async with asyncio.timeout(_PATIENCE_SECONDS), engine.connect() as connection:
            revision = await _revision(chain, connection)
            judged = await _judged(revision, head, connection)
    except (SQLAlchemyError, TimeoutError, OSError) as error:
        told = {"database": chain, "error": first_line(error)}
        _log.warning("a database does not answer", extra=told)
        return {"status": "unreachable", "revision": None, "head": head}
    return {"revision": revision, "head": head, **judged}


async def _judged(revision: str | None, head: str, connection: AsyncConnection) -> _Judged:
    """The new pair is known by its revisions; an old database, which another chain made or none, by
    the tables that are found in it."""
    if revision == head:
        return {"status": "ok"}
    if revision in known_revisions() or (_pair() == "new" and revision is None):
        return {"status": "behind"}
    if _pair() == "new":
        return {"status": "legacy"}
    missing, path = (await connection.execute(_NOT_FOUND, {"names": sorted(LEGACY_SHAPE)})).one()
    if missing is None:
        return {"status": "legacy"}
    if _pair() is None:
        return {"status": "behind"}
    return {
        "status": "incomplete",
        "reason": f"no table {missing} on the search_path of its role ({path})",
    }


def _pair() -> str | None:
    return serving_pair.get() or get_settings().ACTIVE_PAIR


@cache
def _head(chain: ChainName) -> str:
    return ScriptDirectory(str(SCRIPT_LOCATIONS[chain])).get_current_head() or ""


async def _revision(chain: ChainName, connection: AsyncConnection) -> str | None:
    """The revision that the database holds for a chain; None where no chain ever ran."""
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
