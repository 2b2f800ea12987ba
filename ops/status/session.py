"""A short session for looking: read-only, and with a limit on each statement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.sql_files import statement

T = TypeVar("T")

STATEMENT_MILLISECONDS = 700
_NOT_THERE = (pg.UndefinedTable, pg.InvalidSchemaName, pg.UndefinedColumn)


@contextmanager
def brief_session(url: URL) -> Iterator[psycopg.Connection[DictRow]]:
    """A session that writes nothing and in which no statement lasts.

    Raises:
        DatabaseUnavailableError: nothing answers.
        ConfigurationError: the server refuses the login.
    """
    with connect(url, application_name="status", autocommit=True) as session:
        session.execute(
            sql.SQL("SET statement_timeout = {}; SET default_transaction_read_only = on").format(
                sql.Literal(STATEMENT_MILLISECONDS)
            )
        )
        session.row_factory = dict_row  # type: ignore[assignment]
        yield session  # type: ignore[misc]


def known(
    session: psycopg.Connection[Any], read: Callable[[psycopg.Connection[Any]], T]
) -> T | None:
    """What a reader of the books finds; None where its tables are not there yet, or too much is in
    them for a glance."""
    try:
        return read(session)
    except (*_NOT_THERE, pg.QueryCanceled):
        return None


def rows(session: psycopg.Connection[DictRow], name: str) -> list[DictRow] | None:
    """What `sql/NAME.sql` finds, as `known` does."""
    return known(session, lambda opened: opened.execute(statement(f"status/{name}")).fetchall())


def row(session: psycopg.Connection[DictRow], name: str) -> DictRow | None:
    """The first row of `rows`, if there is one."""
    found = rows(session, name)
    return found[0] if found else None
