"""Reading legacy: one connection, one snapshot, nothing written, every error one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, explained, first_line, shown_address
from ops.content_hash import TableHash, rows_hash
from ops.copy.catalogue import Relation, read_relation
from ops.copy.errors import LegacyUnreadableError
from ops.copy.stream import Messages, rows_of
from ops.sql_files import statement


@dataclass(frozen=True)
class Legacy:
    """An open snapshot of the legacy database. It dies with its connection."""

    connection: psycopg.Connection
    url: URL

    def relation(self, table: str) -> Relation | None:
        """What legacy has under this name."""
        with self.reading(table):
            return read_relation(self.connection, table)

    def hash(
        self,
        table: str,
        rows: sql.Composable,
        expressions: Sequence[sql.Composable],
        where: sql.Composable | None = None,
    ) -> TableHash:
        """Hash the rows of a FROM item on the server, in the snapshot."""
        with self.reading(table):
            return rows_hash(self.connection, rows, expressions, where)

    def rows(self, query: sql.Composable, table: str) -> Messages:
        """Stream the rows of a query as binary COPY messages."""
        with self.reading(table):
            yield from rows_of(self.connection, query)

    @contextmanager
    def reading(self, table: str) -> Iterator[None]:
        """Turn what goes wrong in a statement on legacy into one line that names the table.

        Raises:
            LegacyUnreadableError: a view fails, rows are hidden by policies, text has no encoding.
        """
        try:
            with explained(self.url):
                yield
        except psycopg.Error as error:
            reason = first_line(error)
            raise LegacyUnreadableError(
                f"{table!r} of legacy at {shown_address(self.url)} cannot be read: {reason}"
            ) from None


@contextmanager
def legacy_snapshot(url: URL) -> Iterator[Legacy]:
    """Open a REPEATABLE READ, READ ONLY snapshot of legacy.

    The role's timeouts are put off; rows that row-level security would hide are an error, since
    a silent part of a table is no copy.
    """
    with connect(url, application_name="copy reader", read_only=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        legacy = Legacy(connection, url)
        with legacy.reading("settings"):
            connection.execute(statement("copy/timeouts_off"))
            connection.execute("SET row_security = off")
            connection.execute("SET client_encoding = 'UTF8'")
        yield legacy
