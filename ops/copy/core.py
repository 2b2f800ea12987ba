"""The copy's connection to Core."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import URL

from ops.connection import connect, explained, first_line, place
from ops.copy.errors import CoreRefusedRowsError
from ops.errors import DatabaseUnavailableError

LOCK_TIMEOUT = "30s"


@contextmanager
def core_session(url: URL) -> Iterator[psycopg.Connection]:
    """Open Core for a copy; transactions are begun explicitly, one per table.

    Raises:
        CoreRefusedRowsError: a statement failed for a reason that is in the data.
        BusyError: another session held a lock on a table for longer than 30 seconds.
        DatabaseUnavailableError: the server ended a statement (cancelled, deadlock).
    """
    try:
        with (
            explained(url),
            connect(url, application_name="copy writer", autocommit=True) as connection,
        ):
            connection.execute("SET client_encoding = 'UTF8'")
            connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
            yield connection
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise CoreRefusedRowsError(
            f"Core at {place(url)} refused the rows: {first_line(error)}; nothing of it was changed"
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"Core at {place(url)} ended the copy: {first_line(error)}; run the command again"
        ) from None
