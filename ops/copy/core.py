"""The copy's connections to the new pair."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, explained, first_line, shown_address
from ops.copy.errors import CoreRefusedRowsError
from ops.copy.stream import rows_of, stream
from ops.errors import DatabaseUnavailableError

LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class Destination:
    """Where the rows of a table go.

    Attributes:
        session: the database of the table: Core or AI.
        books: Core, which remembers what was copied and what was rejected.
    """

    session: psycopg.Connection
    books: psycopg.Connection

    @property
    def apart(self) -> bool:
        """Whether these are two databases' sessions."""
        return self.session is not self.books

    def write_down(
        self, query: sql.Composable, relation: sql.Composable, columns: Sequence[str]
    ) -> None:
        """Insert the rows of a query on the table's database into a relation of the books."""
        if self.apart:
            stream(rows_of(self.session, query), self.books, relation, columns)
            return
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        self.books.execute(sql.SQL("INSERT INTO {} ({}) {}").format(relation, names, query))

    @contextmanager
    def transaction(self, *, undone: bool = False) -> Iterator[None]:
        """A transaction of both. The table's is committed first, so that the books never know of
        rows that are not there; what must be known before is written down elsewhere."""
        with self.books.transaction(force_rollback=undone):
            if not self.apart:
                yield
                return
            with self.session.transaction(force_rollback=undone):
                yield


@contextmanager
def core_session(url: URL) -> Iterator[psycopg.Connection]:
    """Open Core, or AI, for a copy; transactions are begun explicitly, one per table."""
    with connect(url, application_name="copy writer", autocommit=True) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        yield connection


@contextmanager
def writing(url: URL) -> Iterator[None]:
    """Turn what goes wrong in a statement on Core into one line.

    Raises:
        CoreRefusedRowsError: a statement failed for a reason that is in the data.
        BusyError: another session held a lock on a table for longer than 30 seconds.
        DatabaseUnavailableError: the server ended a statement (cancelled, deadlock).
    """
    try:
        with explained(url):
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise CoreRefusedRowsError(
            f"Core at {shown_address(url)} refused the rows: {first_line(error)}; "
            "nothing of it was changed"
        ) from None
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"Core at {shown_address(url)} ended the copy: {first_line(error)}; "
            "run the command again"
        ) from None
