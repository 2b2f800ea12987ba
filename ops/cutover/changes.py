"""What users wrote since the swap: every user-owned row beside what the swap left of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, explained
from ops.copy.stream import Messages, stream
from ops.cutover.user_tables import (
    USER_TABLES,
    Half,
    Leftovers,
    UserTable,
    leftovers_of,
    row_digests,
    user_tables,
)
from ops.errors import RefusedError
from ops.sql_files import statement

_PRESENT = sql.Identifier("cutover_present")
CHANGES = sql.Identifier("cutover_changes")
_COLUMNS = ("table_name", "key", "digest")


@dataclass(frozen=True)
class Changes:
    """The changes of one instant, in a temporary table of Core's session.

    Its columns: table_name, key, before (the digest that the swap left, NULL where it left no such
    row) and after (the digest now, NULL where the row is gone).

    Attributes:
        core, ai: sessions whose snapshots the changes are of.
        since: when the swap left the rows.
    """

    core: psycopg.Connection
    ai: psycopg.Connection
    since: datetime

    def session(self, table: UserTable) -> psycopg.Connection:
        """The session of the table's database."""
        return self.ai if table.database == "ai" else self.core


@contextmanager
def changes_since_swap(core_url: URL, ai_url: URL) -> Iterator[Changes]:
    """Compare the new pair with the baseline; in the databases, not in memory.

    Raises:
        RefusedError: no swap is in force, so there is nothing to compare with.
    """
    with (
        explained(core_url),
        explained(ai_url),
        connect(core_url, application_name="rollback price") as core,
        connect(ai_url, application_name="rollback price") as ai,
    ):
        for session in (core, ai):
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        since = _baseline_moment(core)
        core.execute(statement("cutover_present"))
        write_digests(core, ai, _PRESENT)
        core.execute(statement("cutover_changes"), [[table.name for table in USER_TABLES]])
        yield Changes(core, ai, since)
        # Only temporary tables were written.
        for session in (core, ai):
            session.rollback()


def _baseline_moment(core: psycopg.Connection) -> datetime:
    row = core.execute(statement("cutover_baseline_moment")).fetchone()
    if row is None:
        raise RefusedError("no swap is in force, so there is nothing that a rollback would lose")
    moment: datetime = row[0]
    return moment


def write_digests(core: psycopg.Connection, ai: psycopg.Connection, into: sql.Composable) -> int:
    """Write table, key and digest of every user-owned row of both databases into a table of Core;
    how many there are. Core's never leave the server, AI's pass by in a stream."""
    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    leftovers = leftovers_of(core)
    rows = 0
    for query in _digests("core", leftovers):
        rows += core.execute(sql.SQL("INSERT INTO {} ({}) {}").format(into, names, query)).rowcount
    for query in _digests("ai", leftovers):
        rows += stream(_messages(ai, query), core, into, _COLUMNS)
    return rows


def _digests(half: Half, leftovers: Leftovers) -> Sequence[sql.Composed]:
    return [
        sql.SQL("SELECT {}::text, key, digest FROM ({}) AS digests").format(
            sql.Literal(table.name), row_digests(table, leftovers)
        )
        for table in user_tables(half)
    ]


def _messages(session: psycopg.Connection, query: sql.Composed) -> Messages:
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with session.cursor() as cursor, cursor.copy(copy) as messages:
        yield from messages
