"""The removal of the old database: that one and no other."""

from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.cleanup.scene import Scene
from ops.connection import first_value, session_at, shown_address
from ops.database_identity import identity
from ops.errors import ConfigurationError, RefusedError
from ops.sql_files import statement


def drop_database(
    scene: Scene, recorded: Mapping[str, Any], require_copy: Callable[[], None]
) -> str:
    """Drop the recorded database, if it is there; returns what became of it.

    Server and database are looked at again in the very session that drops, and nobody is thrown
    out: a session that has come in since makes the server refuse.

    Args:
        require_copy: raises where this would be the last copy; asked while it is still there.

    Raises:
        ConfigurationError: its address is not known any more.
        RefusedError: somebody uses it.
    """
    url = scene.maintenance
    if url is None:
        return _without_address(scene)
    with session_at(url, "cleanup", autocommit=True) as session:
        if not _is_there(session, url, recorded):
            return "gone already"
        _require_unused(session, recorded["database_name"])
        require_copy()
        session.execute("SET default_transaction_read_only = off")  # as a role may bear it
        session.execute(
            sql.SQL("DROP DATABASE {}").format(sql.Identifier(recorded["database_name"]))
        )
    return "dropped"


def _without_address(scene: Scene) -> str:
    if scene.own_server is None:
        raise ConfigurationError(
            "the cleanup is half done and the old database's address is not known; set "
            "LEGACY_DATABASE_URL again"
        )
    if scene.own_server.server("legacy").exists():
        raise ConfigurationError(
            "the cleanup is half done and the old server does not run; run `sigmasight up`"
        )
    return "gone already"


def others(session: psycopg.Connection, database: str) -> list[str]:
    """Who uses a database of the server that `session` is on, through another one of it."""
    rows = session.execute(statement("cleanup/others"), {"database": database}).fetchall()
    return [str(row[0]) for row in rows]


def _is_there(session: psycopg.Connection, url: URL, recorded: Mapping[str, Any]) -> bool:
    server = str(identity(url)["system_identifier"])
    if server != str(recorded["system_identifier"]):
        raise RefusedError(
            f"{shown_address(url)} is on another server than the old database; correct its address"
        )
    named = "SELECT oid FROM pg_database WHERE datname = %s"
    found = first_value(session, named, [recorded["database_name"]])
    # One of the same name that was made since is not the one that may go.
    return str(found) == str(recorded["database_oid"])


def _require_unused(session: psycopg.Connection, database: str) -> None:
    found = others(session, database)
    if found:
        raise RefusedError(f"the old database is in use ({found[0]}); end that and run it again")
