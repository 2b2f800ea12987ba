"""Writing staged rows: all at once where the target takes them, else as many as it takes.

A refusal halves the rows that are tried, down to the single ones that the target does not take, for
whatever reason it has: a key that another row holds, a row that is referred to and not there, a
column too narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ops.carrying.import_target import Reference, Target, changed, references_to, shows
from ops.carrying.losses_file import Kind
from ops.connection import first_line
from ops.copy.groups import PARKED_BY
from ops.user_tables import content_digest
from ops.verify.loose_references import LOOSE_REFERENCES, LooseReference

REFUSED = sql.Identifier("losses_refused")
_INEXACT = "the table cannot hold it as it is"
_REFERRED = "rows that were added meanwhile refer to it"

# What a server says of a row, not of itself.
_OF_A_ROW = (psycopg.IntegrityError, psycopg.DataError, pg.RaiseException, pg.GeneratedAlways)


class _NotTakenError(Exception):
    """The target took rows otherwise than they are, or not at all."""


@dataclass(frozen=True)
class Writer:
    """Writes the pending rows of one database's staging tables.

    Attributes:
        targets: in the order of their references.
    """

    connection: psycopg.Connection
    targets: Sequence[Target]

    def write(self) -> None:
        """Write until nothing more is taken: one row may make room for another, or be referred to
        by it, in either order. What is left then is a conflict."""
        self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        left = self._left()
        while left:
            self._write_once()
            before, left = left, self._left()
            if left == before:
                break
        for target in self.targets:
            self._mark(target, "conflict", "loss_state IN ('pending', 'held')")

    def _left(self) -> int:
        return sum(
            self._count(target, "loss_state IN ('pending', 'held')") for target in self.targets
        )

    def _write_once(self) -> None:
        present = [target for target in self.targets if target.relation is not None]
        for target in present:
            self._mark(target, "pending", "loss_state = 'held'")
            self._hold_back(target)
            _Rows(self.connection, target, "updated").try_all(_update)
            _Rows(self.connection, target, "inserted").try_all(_insert)
            self._note_refused(target)
        for target in reversed(present):
            _Rows(self.connection, target, "deleted").try_all(_delete)

    def _hold_back(self, target: Target) -> None:
        """Rows that name a row that was not imported wait, also where no foreign key tells."""
        for reference in LOOSE_REFERENCES:
            if reference.table == target.table.name and not reference.within:
                self.connection.execute(_held(target, reference))

    def _note_refused(self, target: Target) -> None:
        name = sql.Literal(target.table.name)
        self.connection.execute(sql.SQL(_NOTE_REFUSED).format(REFUSED, name, target.staging))

    def _mark(self, target: Target, state: str, which: LiteralString) -> None:
        self.connection.execute(
            sql.SQL("UPDATE {} SET loss_state = {} WHERE " + which).format(
                target.staging, sql.Literal(state)
            )
        )

    def _count(self, target: Target, which: LiteralString) -> int:
        row = self.connection.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE " + which).format(target.staging)
        ).fetchone()
        return int(row[0]) if row else 0


def make_refused(connection: psycopg.Connection) -> None:
    """Make the list of rows that were not inserted, for those that name them by no foreign key."""
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} (table_name text NOT NULL, key uuid NOT NULL) ON COMMIT DROP"
        ).format(REFUSED)
    )


@dataclass(frozen=True)
class _Rows:
    """The pending rows of one kind in one table."""

    connection: psycopg.Connection
    target: Target
    kind: Kind

    def try_all(self, write: "_Write") -> None:
        first, last, count = self._extent("true")
        if count:
            self._try(write, first, last)

    def _try(self, write: "_Write", first: int, last: int) -> None:
        within = sql.SQL("s.loss_line BETWEEN {} AND {}").format(first, last)
        _, _, count = self._extent(within)
        if not count:
            return
        try:
            with self.connection.transaction():
                self._write(write, within, count)
        except (*_OF_A_ROW, _NotTakenError) as error:
            if count > 1:
                middle = (first + last) // 2
                self._try(write, first, middle)
                self._try(write, middle + 1, last)
            else:
                self._mark(within, "pending", _reason(error))

    def _write(self, write: "_Write", within: sql.Composable, count: int) -> None:
        rows = sql.SQL("{} AND {}").format(self._pending(), within)
        if self.kind == "updated":
            self._park(rows)
        elif self.kind == "deleted":
            self._delete_computed(rows)
        if self.connection.execute(write(self.target, rows)).rowcount != count:
            raise _NotTakenError(_REFERRED if self.kind == "deleted" else _INEXACT)
        if self.kind != "deleted" and self._inexact(rows):
            raise _NotTakenError(_INEXACT)
        self._mark(within, "written", None)

    def _park(self, rows: sql.Composable) -> None:
        """Lend the rows a value of their own while a unique key may pass from one to another."""
        column = PARKED_BY.get(self.target.table.name)
        if column is None or column not in {one.name for one in self.target.columns()}:
            return
        query = (
            "UPDATE {} AS t SET {} = t.id::text FROM {} AS s WHERE t.id = s.loss_key AND {} AND {}"
        )
        self.connection.execute(
            sql.SQL(query).format(
                self.target.name,
                sql.Identifier(column),
                self.target.staging,
                rows,
                changed(self.target.table, column),
            )
        )

    def _delete_computed(self, rows: sql.Composable) -> None:
        """What was computed from the rows goes with them, as it did where users deleted them."""
        doomed = sql.SQL("id IN (SELECT loss_key FROM {} AS s WHERE {})").format(
            self.target.staging, rows
        )
        delete_computed(self.connection, self.target.references, self.target.name, doomed)

    def _inexact(self, rows: sql.Composable) -> bool:
        found = self.connection.execute(
            sql.SQL(
                "SELECT EXISTS (SELECT FROM {} AS s JOIN ({}) AS t ON t.id = s.loss_key"
                " WHERE {} AND NOT {})"
            ).format(
                self.target.staging,
                self.target.as_declared(),
                rows,
                shows(self.target.table, content_digest(self.target.table, "t"), "loss_after"),
            )
        ).fetchone()
        return bool(found and found[0])

    def _extent(self, within: sql.Composable | LiteralString) -> tuple[int, int, int]:
        row = self.connection.execute(
            sql.SQL(
                "SELECT coalesce(min(loss_line), 0), coalesce(max(loss_line), 0), count(*)"
                " FROM {} AS s WHERE {} AND {}"
            ).format(
                self.target.staging,
                self._pending(),
                sql.SQL(within) if isinstance(within, str) else within,
            )
        ).fetchone()
        assert row is not None  # an aggregate
        return int(row[0]), int(row[1]), int(row[2])

    def _pending(self) -> sql.Composed:
        return sql.SQL("s.loss_state = 'pending' AND s.loss_change = {}").format(self.kind)

    def _mark(self, within: sql.Composable, state: str, reason: str | None) -> None:
        self.connection.execute(
            sql.SQL("UPDATE {} AS s SET loss_state = {}, loss_reason = {} WHERE {} AND {}").format(
                self.target.staging, state, reason, self._pending(), within
            )
        )


_Write = Callable[[Target, sql.Composable], sql.Composed]


def _insert(target: Target, rows: sql.Composable) -> sql.Composed:
    columns = target.columns()
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} AS s WHERE {}").format(
        target.name,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(target.value(column) for column in columns),
        target.staging,
        rows,
    )


def _update(target: Target, rows: sql.Composable) -> sql.Composed:
    values = (
        sql.SQL("{} = {}").format(sql.Identifier(column.name), target.updated_value(column))
        for column in target.updated_columns()
    )
    return sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE t.id = s.loss_key AND {}").format(
        target.name, sql.SQL(", ").join(values), target.staging, rows
    )


def _delete(target: Target, rows: sql.Composable) -> sql.Composed:
    """A row by which others would go too, or forget what they refer to, stays."""
    others = (one for one in target.references if one.reaches and not one.is_computed)
    alone = (sql.SQL(" AND NOT EXISTS ({})").format(_referring(one)) for one in others)
    return sql.SQL("DELETE FROM {} AS t USING {} AS s WHERE t.id = s.loss_key AND {}{}").format(
        target.name, target.staging, rows, sql.SQL("").join(alone)
    )


def delete_computed(
    connection: psycopg.Connection,
    references: Sequence[Reference],
    table: sql.Identifier,
    rows: sql.Composable,
) -> None:
    """Delete what was computed from rows of a table, and from that in turn."""
    for one in references:
        if one.is_computed:
            child, naming = sql.Identifier(one.schema, one.table), one.naming(table, rows)
            delete_computed(connection, references_to(connection, one.oid), child, naming)
            connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(child, naming))


def _referring(key: Reference) -> sql.Composed:
    pairs = (
        sql.SQL("c.{} = t.{}").format(sql.Identifier(own), sql.Identifier(theirs))
        for own, theirs in zip(key.columns, key.referred, strict=True)
    )
    return sql.SQL("SELECT FROM {} AS c WHERE {}").format(
        sql.Identifier(key.schema, key.table), sql.SQL(" AND ").join(pairs)
    )


def _held(target: Target, reference: LooseReference) -> sql.Composed:
    return sql.SQL(
        "UPDATE {} AS s SET loss_state = 'held', loss_reason = {} FROM {} AS r"
        " WHERE s.loss_state = 'pending' AND r.table_name = {} AND r.key = {}"
    ).format(
        target.staging,
        sql.Literal(f"its row of {reference.target} was not imported"),
        REFUSED,
        sql.Literal(reference.target),
        sql.Identifier("s", reference.column),
    )


_NOTE_REFUSED = """
WITH forgotten AS (DELETE FROM {0} WHERE table_name = {1})
INSERT INTO {0} (table_name, key)
SELECT {1}, loss_key FROM {2}
WHERE loss_change = 'inserted' AND loss_state IN ('pending', 'held')
"""


def _reason(error: Exception) -> str:
    return first_line(error) if isinstance(error, psycopg.Error) else str(error)
