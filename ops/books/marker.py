"""Schema `ops`: the marker that says which database this is, and in Core what a move remembers."""

from typing import Literal

import psycopg
from sqlalchemy.engine import URL

from ops.connection import first_value, session_at
from ops.errors import WrongDatabaseError
from ops.sql_files import statement

Role = Literal["core", "ai", "shared"]


def ensure_bookkeeping(connection: psycopg.Connection, role: Role) -> None:
    """Create schema `ops` where it is missing and mark the database as `role`. Idempotent.

    Raises:
        WrongDatabaseError: the database is already marked as another half of a pair.
    """
    connection.execute(statement("books/both_halves"))
    if role != "ai":
        connection.execute(statement("books/core"))
        connection.execute(statement("books/gate"))
    connection.execute(
        "INSERT INTO ops.database_marker (role) VALUES (%s) ON CONFLICT DO NOTHING", [role]
    )
    found = marked_role(connection)
    if found != role:
        raise WrongDatabaseError(
            f"database {connection.info.dbname!r} is marked as {found!r}, not {role!r}; "
            "correct DATABASE_URL and AI_DATABASE_URL"
        )


def marked_role(connection: psycopg.Connection) -> str | None:
    """The role that `ops.database_marker` records, or None where there is no marker."""
    if first_value(connection, "SELECT to_regclass('ops.database_marker')") is None:
        return None
    role: str | None = first_value(connection, "SELECT role FROM ops.database_marker")
    return role


def keep_books(url: URL, role: Role) -> None:
    """`ensure_bookkeeping` on a database that the owner reaches at `url`.

    Raises:
        WrongDatabaseError: the database is already marked as another half of a pair.
        ConfigurationError: the role may not create a schema.
    """
    with session_at(url, "bookkeeping") as connection:
        ensure_bookkeeping(connection, role)
