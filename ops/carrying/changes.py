"""What changed of users' rows since the baseline was recorded.

A row is told by its key and a digest of its content. Only rows that may have been written since
are digested (`ops.copy.table_state` tells which); of the others the keys alone are looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.copies import TableState
from ops.connection import connect, explained
from ops.copy.catalogue import read_relations
from ops.copy.plan import EVERY
from ops.copy.stream import rows_of, stream
from ops.copy.table_state import Look, StateChange, looks
from ops.errors import RefusedError
from ops.sql_files import statement
from ops.user_tables import (
    USER_TABLES,
    Leftovers,
    UserTable,
    counts,
    leftovers_of,
    row_digests,
    user_tables,
)

CHANGES = sql.Identifier("cutover_changes")
COLUMNS = ("table_name", "key", "before", "after")
_PRESENT = sql.Identifier("cutover_present")


@dataclass(frozen=True)
class Changes:
    """The changes of one instant, in the temporary table `CHANGES` of Core's session.

    Attributes:
        core, ai: sessions whose snapshots the changes are of.
        since: when the swap left the rows.
        seen: how each table was seen there, so far as that can be told of it.
        renewed: tables that are not those of the baseline, but restored or made anew.
    """

    core: psycopg.Connection
    ai: psycopg.Connection
    since: datetime
    seen: dict[str, TableState] = field(default_factory=dict)
    renewed: list[str] = field(default_factory=list)

    def session(self, table: UserTable) -> psycopg.Connection:
        """The session of the table's database."""
        return self.ai if table.database == "ai" else self.core


@contextmanager
def pair_sessions(
    core_url: URL, ai_url: URL, purpose: str
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Sessions of Core and AI, in which transactions are begun explicitly."""
    with (
        explained(core_url),
        explained(ai_url),
        connect(core_url, application_name=purpose, autocommit=True) as core,
        connect(ai_url, application_name=purpose, autocommit=True) as ai,
    ):
        yield core, ai


@contextmanager
def changes_since_swap(core_url: URL, ai_url: URL) -> Iterator[Changes]:
    """`changes_within` over sessions of its own."""
    with (
        pair_sessions(core_url, ai_url, "rollback price") as (core, ai),
        changes_within(core, ai) as changes,
    ):
        yield changes


@contextmanager
def changes_within(
    core: psycopg.Connection, ai: psycopg.Connection, last: Mapping[str, TableState] | None = None
) -> Iterator[Changes]:
    """Compare the new pair with the baseline; in the databases, not in memory.

    Args:
        last: how each table was seen, if only what was written since matters.

    Raises:
        RefusedError: no swap is in force, so there is nothing to compare with.
    """
    for session in (core, ai):
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    # Only temporary tables are written.
    with core.transaction(force_rollback=True), ai.transaction(force_rollback=True):
        # AI first: what a row there names is then seen in Core.
        ai.execute("SELECT")
        row = core.execute(statement("carrying/baseline_moment")).fetchone()
        if row is None:
            raise RefusedError(
                "no swap is in force, so there is nothing that a rollback would lose"
            )
        since, known = row[0], states_of(row[1])
        changes = Changes(core, ai, since)
        find_changes(changes, known if last is None else last)
        changes.renewed.extend(_renewed(known, changes.seen))
        yield changes


def renewed_since_swap(core_url: URL, ai_url: URL) -> list[str]:
    """Users' tables of the new pair that are not those which the swap left, but restored or made
    anew; none where no swap left a baseline."""
    with pair_sessions(core_url, ai_url, "renewed tables") as (core, ai):
        row = core.execute(statement("carrying/baseline_moment")).fetchone()
        known = states_of(row[1]) if row else {}
        looked = _looks_at_pair(core, ai, leftovers_of(core), known)
        return _renewed(known, {name: one.seen for name, one in looked.items()})


def _renewed(known: Mapping[str, TableState], seen: Mapping[str, TableState]) -> list[str]:
    return sorted(n for n in known if n not in seen or known[n].life != seen[n].life)


def refuse_renewed(changes: Changes) -> None:
    """See that what is missing was deleted by users.

    Raises:
        RefusedError: a table is not the one that the swap left.
    """
    if changes.renewed:
        raise RefusedError(
            f"{', '.join(changes.renewed)} of the new pair was restored or made anew since the "
            "swap, so what users deleted cannot be told from what was lost; run "
            "`sigmasight rollback --blind`"
        )


def forget_missing(changes: Changes) -> None:
    """Of tables that are renewed, only what is there was done by users."""
    changes.core.execute(
        "DELETE FROM cutover_changes WHERE table_name = ANY(%s) AND after IS NULL",
        [changes.renewed],
    )


def bring_to_ai(changes: Changes) -> None:
    """Have AI's session know the changes of its own tables too: `changed_rows` joins them there."""
    names = [table.name for table in user_tables("ai")]
    changes.ai.execute("DROP TABLE IF EXISTS pg_temp.cutover_changes")
    changes.ai.execute(statement("carrying/changes"))
    query = sql.SQL("SELECT {} FROM {} WHERE table_name = ANY({})").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), CHANGES, sql.Literal(names)
    )
    stream(rows_of(changes.core, query), changes.ai, CHANGES, COLUMNS)


def changed_rows(table: UserTable) -> sql.Composed:
    """A query of a table's changes, in its own session: kind, key, both digests and the row as it
    is now, each value in the server's own text; of a deleted row the key."""
    values = sql.SQL(", ").join(
        sql.SQL("t.{0}::text AS {0}").format(sql.Identifier(name)) for name in table.columns
    )
    return sql.SQL(
        "SELECT CASE WHEN c.before IS NULL THEN 'inserted' WHEN c.after IS NULL THEN 'deleted'"
        " ELSE 'updated' END AS change, c.key, c.before, c.after, {}"
        " FROM {} AS c LEFT JOIN {} AS t ON t.id = c.key AND c.after IS NOT NULL"
        " WHERE c.table_name = {} ORDER BY c.key"
    ).format(values, CHANGES, sql.Identifier("public", table.name), sql.Literal(table.name))


def states_of(documents: Mapping[str, Any]) -> dict[str, TableState]:
    """How each table was seen, as the baseline's moment stores it."""
    return {name: TableState(**document) for name, document in documents.items()}


def find_changes(changes: Changes, seen: Mapping[str, TableState]) -> None:
    """Fill `CHANGES`, and `changes.seen`.

    Args:
        seen: how each was when the baseline was recorded; what is not in it is digested whole.
    """
    changes.core.execute(statement("carrying/changes"))
    leftovers = leftovers_of(changes.core)
    looked = _looks_at_pair(changes.core, changes.ai, leftovers, seen)
    for table in USER_TABLES:
        now = looked.get(table.name)
        if now is None or not now.unchanged:
            only = EVERY if now is None or now.newer is None else now.newer
            _add(changes, "carrying/changes_new", table, row_digests(table, leftovers, only))
        if now is None or not (now.only_inserted or _all_there(changes, table, now.seen.rows)):
            rows = sql.SQL("SELECT id AS key, NULL::text AS digest FROM {} WHERE {}").format(
                sql.Identifier("public", table.name), counts(table.name, leftovers) or EVERY
            )
            _add(changes, "carrying/changes_gone", table, rows)
    changes.seen.update({name: now.seen for name, now in looked.items()})


def _all_there(changes: Changes, table: UserTable, rows: int) -> bool:
    """Whether a table's rows, so many, are those of the baseline and those that were inserted."""
    known = changes.core.execute(
        "SELECT (SELECT count(*) FROM ops.cutover_baseline WHERE table_name = %(table)s)"
        " + (SELECT count(*) FROM cutover_changes WHERE table_name = %(table)s AND before IS NULL)",
        {"table": table.name},
    ).fetchone()
    return known == (rows,)


def _looks_at_pair(
    core: psycopg.Connection,
    ai: psycopg.Connection,
    leftovers: Leftovers,
    seen: Mapping[str, TableState],
) -> dict[str, StateChange]:
    return {
        **_looks(core, user_tables("core"), leftovers, seen),
        **_looks(ai, user_tables("ai"), leftovers, seen),
    }


def _looks(
    session: psycopg.Connection,
    tables: Sequence[UserTable],
    leftovers: Leftovers,
    seen: Mapping[str, TableState],
) -> dict[str, StateChange]:
    """How the tables of one half are seen now; whoever reads one that is not there says so."""
    there = read_relations(session, [table.name for table in tables])
    wanted = {}
    for table in tables:
        if table.name in there:
            rows, shape = counts(table.name, leftovers) or EVERY, row_digests(table)
            wanted[table.name] = Look(
                there[table.name], rows, shape.as_string(session), seen.get(table.name)
            )
    return looks(session, wanted)


def _add(changes: Changes, name: str, table: UserTable, rows: sql.Composable) -> None:
    """Find changes by the keys and digests of rows; Core's own never leave the server."""
    core = changes.core
    if table.database == "ai":
        core.execute("DROP TABLE IF EXISTS pg_temp.cutover_present")
        core.execute(
            "CREATE TEMPORARY TABLE cutover_present (key uuid, digest text) ON COMMIT DROP"
        )
        stream(rows_of(changes.ai, rows), core, _PRESENT, ("key", "digest"))
        rows = sql.SQL("TABLE cutover_present")
    query = statement(name).decode()
    core.execute(sql.SQL(query).format(table=sql.Literal(table.name), rows=rows))
