"""Which old database the pair's rows were copied from: the first copy writes it down."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ops.connection import first_value


def recorded_source(core: psycopg.Connection) -> dict[str, Any] | None:
    """The identity of the old database that was copied from; None before the first copy."""
    identity: dict[str, Any] | None = first_value(core, "SELECT identity FROM ops.copy_source")
    return identity


def record_source(core: psycopg.Connection, identity: Mapping[str, Any]) -> None:
    """Remember an old database, in place of any other."""
    core.execute(
        "INSERT INTO ops.copy_source (identity) VALUES (%s) ON CONFLICT (only_row)"
        " DO UPDATE SET identity = EXCLUDED.identity, recorded_at = now()",
        [Jsonb(dict(identity))],
    )
