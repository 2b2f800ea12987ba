"""What changed of users' rows since the baseline was recorded.

A row is told by its key and a digest of its content. Only rows that may have been written since
are digested (`ops.copy.table_state` tells which); of the others the keys alone are looked at.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.copies import TableState
from ops.connection import connect, explained
from ops.copy.catalogue import read_relation
from ops.copy.plan import EVERY
from ops.copy.stream import rows_of, stream
from ops.copy.table_state import StateChange, look
from ops.errors import RefusedError
from ops.sql_files import statement
from ops.user_tables import (
    USER_TABLES,
    Leftovers,
    UserTable,
    counts,
    leftovers_of,
    row_digests,
)

CHANGES = sql.Identifier("cutover_changes")
_PRESENT = sql.Identifier("cutover_present")


@dataclass(frozen=True)
class Changes:
    """The changes of one instant, in the temporary table `CHANGES` of Core's session.

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
        row = core.execute(statement("carrying/baseline_moment")).fetchone()
        if row is None:
            raise RefusedError(
                "no swap is in force, so there is nothing that a rollback would lose"
            )
        since, seen = row
        changes = Changes(core, ai, since)
        find_changes(changes, states_of(seen))
        yield changes
        # Only temporary tables were written.
        for session in (core, ai):
            session.rollback()


def states_of(documents: Mapping[str, Any]) -> dict[str, TableState]:
    """How each table was seen, as the baseline's moment stores it."""
    return {name: TableState(**document) for name, document in documents.items()}


def find_changes(changes: Changes, seen: Mapping[str, TableState]) -> dict[str, TableState]:
    """Fill `CHANGES`; how each table is seen now, so far as that can be told of it.

    Args:
        seen: how each was when the baseline was recorded; what is not in it is digested whole.
    """
    changes.core.execute(statement("carrying/changes"))
    leftovers = leftovers_of(changes.core)
    found: dict[str, TableState] = {}
    for table in USER_TABLES:
        now = _look(changes.session(table), table, leftovers, seen.get(table.name))
        if now is None or not now.unchanged:
            only = seen[table.name].new_rows if now and now.new_rows is not None else EVERY
            _find_new(changes, table, row_digests(table, leftovers, only))
        if now is None or not now.only_inserted:
            _find_gone(changes, table, leftovers)
        if now is not None:
            found[table.name] = now.seen
    return found


def _look(
    session: psycopg.Connection, table: UserTable, leftovers: Leftovers, since: TableState | None
) -> StateChange | None:
    relation = read_relation(session, table.name)
    if relation is None:  # whoever reads it says so
        return None
    rows = counts(table.name, leftovers) or EVERY
    return look(session, relation, rows, row_digests(table).as_string(session), since)


def _find_new(changes: Changes, table: UserTable, rows: sql.Composed) -> None:
    if table.database == "ai":
        rows = _brought_to_core(changes, rows, ("key", "digest"))
    _add(changes, "carrying/changes_new", table, rows)


def _find_gone(changes: Changes, table: UserTable, leftovers: Leftovers) -> None:
    rows = sql.SQL("SELECT id AS key FROM {} WHERE {}").format(
        sql.Identifier("public", table.name), counts(table.name, leftovers) or EVERY
    )
    if table.database == "ai":
        rows = _brought_to_core(changes, rows, ("key",))
    _add(changes, "carrying/changes_gone", table, rows)


def _add(changes: Changes, name: str, table: UserTable, rows: sql.Composed) -> None:
    query = statement(name).decode()
    changes.core.execute(sql.SQL(query).format(table=sql.Literal(table.name), rows=rows))


def _brought_to_core(
    changes: Changes, rows: sql.Composed, columns: tuple[str, ...]
) -> sql.Composed:
    """A query of the same rows in Core's session. Core's own never leave the server."""
    core = changes.core
    core.execute("DROP TABLE IF EXISTS pg_temp.cutover_present")
    core.execute(statement("carrying/present"))
    stream(rows_of(changes.ai, rows), core, _PRESENT, columns)
    return sql.SQL("SELECT * FROM {}").format(_PRESENT)
