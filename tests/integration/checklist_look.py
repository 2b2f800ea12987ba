"""A look at the checklist, which always ends, and the pairs and records that it is given."""

import time
from datetime import UTC, datetime
from pathlib import Path

from psycopg.types.json import Jsonb
from pydantic import SecretStr
from sqlalchemy.engine import URL

from ops.connection import connect, conninfo
from ops.settings import OperatorSettings
from ops.status import ChecklistLine, checklist

# Two seconds are promised, and measured in the benchmarks; a machine under load needs longer.
PATIENCE_SECONDS = 20.0
NUMBERS = ["1", "2", "3", "4", "5", "6", "7", "7.5", "8", "9", "-", "10", "11", "-"]
IDENTITY = Jsonb({"system_identifier": 1, "database_oid": 2, "database_name": "old"})

Lines = dict[str, ChecklistLine]


def external(folder: Path, core: URL, ai: URL, legacy: URL | None = None) -> OperatorSettings:
    return OperatorSettings(
        _env_file=None,
        SIGMASIGHT_HOME=folder,
        DATABASE_URL=SecretStr(conninfo(core)),
        AI_DATABASE_URL=SecretStr(conninfo(ai)),
        LEGACY_DATABASE_URL=SecretStr(conninfo(legacy)) if legacy else None,
    )


def look(settings: OperatorSettings, api_url: str | None = None) -> Lines:
    """The lines by phase; it ends, however the system is."""
    begun = time.monotonic()
    lines = checklist(settings, api_url)
    assert time.monotonic() - begun < PATIENCE_SECONDS
    assert [line.number for line in lines] == NUMBERS
    return {line.phase: line for line in lines}


def execute(url: URL, statement: str, *values: object) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def swapped(core: URL, kind: str = "swap", state: str = "done", **values: object) -> None:
    row = {"held_seconds": 0.4, "step": "flip", "reason": None, **values}
    execute(
        core,
        "INSERT INTO ops.cutovers (kind, state, step, plan_id, legacy, accepted_loss, held_seconds,"
        " reason, ended_at) VALUES (%s, %s, %s, 'p', %s, 0, %s, %s, %s)",
        kind,
        state,
        row["step"],
        IDENTITY,
        row["held_seconds"],
        row["reason"],
        None if state == "running" else row.get("ended_at", datetime.now(UTC)),
    )
