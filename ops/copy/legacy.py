"""Reading legacy: one connection, one snapshot, nothing written, every error one line."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import end_in_time, explained, first_line, shown_address
from ops.content_hash import TableHash, rows_hash
from ops.copy.catalogue import Relation, read_relations
from ops.copy.errors import LegacyUnreadableError
from ops.copy.stream import Chunks, rows_of
from ops.legacy_schema import LegacySchema, enter_legacy


@dataclass(frozen=True)
class Legacy:
    """An open snapshot of the legacy database. It dies with its connection.

    Attributes:
        place: the schema that is read, and no other.
        relations: what the installation has of the tables that are to be read, by name.
    """

    connection: psycopg.Connection
    url: URL
    place: LegacySchema
    relations: Mapping[str, Relation]

    @property
    def unchecked(self) -> bool:
        """Whether its texts are bytes that no encoding was ever asked of."""
        return self.connection.info.parameter_status("server_encoding") == "SQL_ASCII"

    def hash(
        self,
        table: str,
        rows: sql.Composable,
        expressions: Sequence[sql.Composable],
        where: sql.Composable | None = None,
    ) -> TableHash:
        """Hash the rows of a FROM item on the server, in the snapshot."""
        with self.reading(table):
            encoding = "SQL_ASCII" if self.unchecked else "UTF8"
            return rows_hash(self.connection, rows, expressions, where, encoding)

    def counted(self, relation: Relation, which: sql.Composable) -> tuple[int, int]:
        """How many rows of a relation meet a condition, and how many do not."""
        query = sql.SQL("SELECT count(*) FILTER (WHERE {0}), count(*) FROM {1}")
        meet, rows = self.row(query.format(which, relation.identifier), relation.name) or (0, 0)
        return int(meet), int(rows) - int(meet)

    def row(self, query: sql.Composed, table: str) -> tuple[Any, ...] | None:
        """The first row of a query."""
        with self.reading(table):
            return self.connection.execute(query).fetchone()

    def rows(self, query: sql.Composable, table: str) -> Chunks:
        """Stream the rows of a query."""
        with self.reading(table):
            yield from rows_of(self.connection, query)

    @contextmanager
    def reading(self, table: str) -> Iterator[None]:
        """`_reading` of a table over this snapshot."""
        with _reading(self.url, table):
            yield


@contextmanager
def _reading(url: URL, table: str) -> Iterator[None]:
    """Turn what goes wrong in a statement on legacy into one line that names the table.

    Raises:
        LegacyUnreadableError: a view fails, rows are hidden by policies, text has no encoding.
    """
    try:
        with explained(url):
            yield
    except psycopg.Error as error:
        reason = first_line(error)
        raise LegacyUnreadableError(
            f"{table!r} of legacy at {shown_address(url)} cannot be read: {reason}"
        ) from None


@contextmanager
def legacy_snapshot(
    connection: psycopg.Connection,
    url: URL,
    tables: Collection[str],
    most_seconds: float | None = None,
) -> Iterator[Legacy]:
    """A REPEATABLE READ, READ ONLY snapshot of legacy as it is now, to read these tables where the
    installation has them. It ends with the block.

    Rows that row-level security would hide are an error, since a silent part of a table is no copy.

    Args:
        most_seconds: when the server itself ends it, also where nobody hears that.

    Raises:
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with _reading(url, "settings"):
        connection.execute("SET row_security = off")
        if most_seconds is not None:
            end_in_time(connection, most_seconds)
        place = enter_legacy(connection, url, tables)
    with _reading(url, "catalogue"):
        relations = read_relations(connection, tables, place.name)
    yield Legacy(connection, url, place, relations)
    connection.rollback()  # what it read must not stand in a proof's way
