"""Whether a table was written since somebody last looked, without reading what its rows say.

Each row version bears the number of the transaction that wrote it (xmin). What a snapshot sees was
written by transactions that had begun before; a row that it does not see can only bear the number
of one that was running then or began later. So a table is as it was if no row bears a number from
the oldest running one on, and there are as many rows as before: an insert and an update leave such
a row, a deletion one row fewer. Numbers that come round again, after four thousand million
transactions, only raise a false alarm. All of it holds within one life of one server, for one file
of one table: a restart, a restored database or a rewritten table voids it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ops.books.copies import TableState
from ops.copy.catalogue import Relation
from ops.sql_files import statement

# Beyond it the age of a number says nothing.
_HALF_ROUND = 2**31


@dataclass(frozen=True)
class StateChange:
    """A table now, beside how it was seen before.

    Attributes:
        seen: as it is now.
        new_rows: how many rows may have been written since; None where nothing can be said.
        before: how many rows there were.
        newer: a condition that these rows meet, in the snapshot that looked.
        left_out: how many rows do not meet the condition that is looked at.
    """

    seen: TableState
    new_rows: int | None = None
    before: int | None = None
    newer: sql.Composable | None = None
    left_out: int = 0

    @property
    def unchanged(self) -> bool:
        """Whether nothing was written since."""
        return self.new_rows == 0 and self.seen.rows == self.before

    @property
    def only_inserted(self) -> bool:
        """Whether rows were inserted since and nothing else: each update would be one more that may
        be new, each deletion one row fewer."""
        if self.new_rows is None or self.before is None:
            return False
        return self.seen.rows - self.before == self.new_rows


@dataclass(frozen=True)
class Look:
    """What is to be looked at: a table's rows that meet the condition `rows`.

    Attributes:
        shape: what else must be the same, so that what was seen can be compared.
        since: how it was seen before, if it was.
    """

    relation: Relation
    rows: sql.Composable
    shape: str
    since: TableState | None

    def query(self, name: str) -> sql.Composed:
        """A query of one row, under this name."""
        return sql.SQL(_query()).format(
            name=sql.Literal(name),
            oid=sql.Literal(self.relation.oid),
            table=self.relation.identifier,
            rows=self.rows,
            new=sql.SQL("false") if self.since is None else self.since.new_rows,
        )

    def change(
        self,
        connection: psycopg.Connection,
        place: str,
        oldest: int,
        newest: int,
        rows: int,
        new_rows: int,
        first_page: int | None,
        last_page: int | None,
        left_out: int,
    ) -> StateChange:
        """What that row says."""
        text = f"{self.shape} {self.rows.as_string(connection)}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        seen, since = TableState(f"{place}/{digest}", int(oldest), rows), self.since
        if since is None or since.place != seen.place or newest - since.oldest >= _HALF_ROUND:
            return StateChange(seen, left_out=left_out)
        newer = since.new_rows
        if first_page is not None and last_page is not None:
            newer = sql.SQL("ctid >= {}::tid AND ctid < {}::tid AND {}").format(
                sql.Literal(f"({first_page},0)"), sql.Literal(f"({last_page + 1},0)"), newer
            )
        return StateChange(seen, new_rows, since.rows, newer, left_out)


def looks(connection: psycopg.Connection, wanted: Mapping[str, Look]) -> dict[str, StateChange]:
    """Look at many tables of a database in one statement; what is no plain table is left out."""
    plain = {
        name: one
        for name, one in wanted.items()
        if one.relation.is_table and not one.relation.has_children
    }
    if not plain:
        return {}
    queries = sql.SQL(" UNION ALL ").join(one.query(name) for name, one in plain.items())
    found = connection.execute(queries).fetchall()
    return {name: plain[name].change(connection, *told) for name, *told in found}


def look(
    connection: psycopg.Connection,
    relation: Relation,
    rows: sql.Composable,
    shape: str,
    since: TableState | None,
) -> StateChange | None:
    """Look at one table; None at what is no plain one."""
    return looks(connection, {relation.name: Look(relation, rows, shape, since)}).get(relation.name)


def own_transaction(connection: psycopg.Connection) -> int:
    """The number of the open transaction."""
    row = connection.execute("SELECT txid_current()").fetchone()
    assert row is not None  # it is a function of the server
    return int(row[0])


def _query() -> Any:
    """The text of a look's query, whose parts are composed into it."""
    return statement("copy/table_state").decode()
