"""Reading legacy: one connection, one snapshot, nothing written, every error one line."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import CharacterNotInRepertoire, UntranslatableCharacter
from sqlalchemy.engine import URL

from ops.connection import end_in_time, explained, first_line, shown_address
from ops.content_hash import TableHash, rows_hash
from ops.copy.catalogue import Relation, read_relations
from ops.copy.errors import LegacyUnreadableError
from ops.copy.stream import Chunks, rows_of
from ops.legacy_schema import LegacySchema, enter_legacy

# Of a database whose texts are bytes that no encoding was ever asked of.
ANY_BYTE = r"\x80-\xff"
# The encodings of databases that hold any text, as characters or as bytes.
OF_ANY_TEXT = ("UTF8", "SQL_ASCII")
_BYTE = re.compile("0x([0-9a-f]{2})")


@dataclass(frozen=True)
class Legacy:
    """An open snapshot of the legacy database. It dies with its connection.

    Attributes:
        place: the schema that is read, and no other.
        relations: what the installation has of the tables that are to be read, by name.
        foreign: which bytes of its texts are none in UTF-8, as in a regular expression's class.
    """

    connection: psycopg.Connection
    url: URL
    place: LegacySchema
    relations: Mapping[str, Relation]
    foreign: str

    def hash(
        self,
        table: str,
        rows: sql.Composable,
        expressions: Sequence[sql.Composable],
        where: sql.Composable | None = None,
    ) -> TableHash:
        """Hash the rows of a FROM item on the server, in the snapshot: all as the bytes that they
        are, or as UTF-8 those that meet a condition."""
        with self.reading(table):
            own = where is None or self.foreign == ANY_BYTE
            encoding = server_encoding(self.connection) if own else "UTF8"
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
        foreign = _foreign(connection)
    yield Legacy(connection, url, place, relations, foreign)
    connection.rollback()  # what it read must not stand in a proof's way


def server_encoding(connection: psycopg.Connection) -> str:
    """The encoding of the database, as its server names it."""
    return str(connection.info.parameter_status("server_encoding"))


def _foreign(connection: psycopg.Connection) -> str:
    """The bytes that the database's encoding takes and that have no equal in UTF-8, as the server
    names one after the other; none of an encoding of several bytes for a character."""
    encoding, left, found = server_encoding(connection), list(range(0x80, 0x100)), ""
    if encoding in OF_ANY_TEXT:
        return ANY_BYTE if encoding == "SQL_ASCII" else ""
    while True:
        try:
            with connection.transaction():
                connection.execute("SELECT convert(%s, %s, 'UTF8')", [bytes(left), encoding])
            return found
        except UntranslatableCharacter as error:
            byte = _BYTE.findall(str(error))[0]
            left.remove(int(byte, 16))
            found += rf"\x{byte}"
        except CharacterNotInRepertoire:
            return ""
