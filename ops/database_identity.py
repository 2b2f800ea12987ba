"""Which database an address leads to, whatever it is called there."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL

from ops.connection import first_value, session_at

_UNSEEN = "not shown by the server; oldest relation "


def identity(url: URL) -> dict[str, Any]:
    """What stays the same as long as a database lives: the identifier that its server's data got
    when they were made, the database's oid there, and its name. Equal dictionaries name the same
    database; only a copy of the server's very files (a standby, say) has the same.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    with session_at(url, "identity", read_only=True) as session:
        return identity_in(session)


def identity_in(session: psycopg.Connection) -> dict[str, Any]:
    """`identity` of the database that the session is in."""
    row = session.execute(
        "SELECT oid::bigint, datname FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    assert row is not None  # a session is in a database
    return {
        "system_identifier": _system_identifier(session),
        "database_oid": int(row[0]),
        "database_name": str(row[1]),
    }


def is_weak(found: Mapping[str, Any]) -> bool:
    """Whether the server hides its identifier. Then the database's oldest relation stands in for
    it, which a restored copy on another server could share only by a chance of its numbering."""
    return str(found.get("system_identifier")).startswith(_UNSEEN)


def same_identity(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two identities may be of one database: they are equal, or differ only in that one
    role was not shown the server's identifier."""
    if one == other:
        return True
    weak = [is_weak(each) for each in (one, other)]
    return any(weak) and not all(weak) and _place(one) == _place(other)


def in_words(found: Mapping[str, Any]) -> str:
    """An identity as a message names it."""
    server = "an unnamed server" if is_weak(found) else f"server {found['system_identifier']}"
    return f"{found['database_name']!r} (oid {found['database_oid']}) of {server}"


def _place(found: Mapping[str, Any]) -> tuple[object, object]:
    return found.get("database_oid"), found.get("database_name")


def _system_identifier(session: psycopg.Connection) -> str:
    try:
        with session.transaction():
            return str(first_value(session, "SELECT system_identifier FROM pg_control_system()"))
    except (pg.InsufficientPrivilege, pg.UndefinedFunction, pg.FeatureNotSupported):
        oldest = "SELECT coalesce(min(oid), 0) FROM pg_class WHERE oid >= 16384"
        return f"{_UNSEEN}{first_value(session, oldest)}"
