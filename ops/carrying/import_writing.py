"""Writing staged rows: all at once where the target takes them, else as many as it takes.

A refusal halves the rows that are tried; of few the server tries each by itself, and says of those
that it does not take why: a key that another row holds, a row that is referred to and not there, a
column too narrow, a trigger.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ops.carrying.import_target import Target, shows
from ops.carrying.losses_file import Kind
from ops.carrying.writing_statements import (
    deletion,
    deletions_of_computed,
    held_back,
    insertion,
    lending,
    update,
)
from ops.sql_files import statement
from ops.user_tables import content_digest
from ops.verify.loose_references import LOOSE_REFERENCES

REFUSED = sql.Identifier("losses_refused")
_INEXACT = "the table cannot hold it as it is"
_REFERRED = "rows that were added meanwhile refer to it"
_BY_A_TRIGGER = "a trigger of the table makes another row of it"
Write = Callable[[Target, sql.Composable], sql.Composed]
_WRITES: Mapping[Kind, Write] = {"inserted": insertion, "updated": update, "deleted": deletion}
_KEPT: tuple[Kind, ...] = ("inserted", "updated")
_EACH_BY_ITSELF = 500
_UNDONE = "loss_state IN ('pending', 'held', 'barred')"

# What a server says of itself, a session or our lock; whatever else it says, it says of a row: a
# trigger may refuse one by any code.
_NOT_OF_A_ROW = "^(08|25|40|53|57|58|SG|55P03)"


class _NotTakenError(Exception):
    """The target took rows otherwise than they are, or not at all.

    Attributes:
        barred: whether others have what only one row may have.
    """

    def __init__(self, reason: object, *, barred: bool = False) -> None:
        super().__init__(str(reason))
        self.barred = barred


@contextmanager
def _all_or_nothing(connection: psycopg.Connection) -> Iterator[None]:
    """Undo the block where the target does not take a row.

    Raises:
        _NotTakenError: it does not.
    """
    try:
        with connection.transaction():
            yield
    except psycopg.DatabaseError as error:
        if error.sqlstate is None or re.match(_NOT_OF_A_ROW, error.sqlstate):
            raise
        raise _NotTakenError(error, barred=isinstance(error, pg.UniqueViolation)) from None


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
        if self._left() and not self._write_whole():
            self._write_what_is_taken()
        if has_triggers(self.connection, self._present):
            self._write_again()
        for target in self.targets:
            self._mark(target, "conflict", _UNDONE)

    @property
    def _present(self) -> list[Target]:
        return [target for target in self.targets if target.relation is not None]

    def _write_whole(self) -> bool:
        """Whether all was taken, in one go. A row that is about to go may have to make room first,
        though others still refer to it."""
        for make_room in (False, True):
            try:
                with _all_or_nothing(self.connection):
                    self._write_all(make_room=make_room)
                return True
            except _NotTakenError as refusal:
                if not refusal.barred:
                    break
        return False

    def _write_all(self, *, make_room: bool) -> None:
        for target in self._present:
            self._hold_back(target)
            if make_room:
                self._rows(target, "deleted").lend(doomed=True)
        for target in self._present:
            self._rows(target, "updated").write()
            self._rows(target, "inserted").write()
        for target in reversed(self._present):
            self._rows(target, "deleted").write()
        if self._left():
            raise _NotTakenError(_REFERRED)

    def _write_what_is_taken(self) -> None:
        left = self._left()
        while left:
            self._write_once()
            before, left = left, self._left()
            if left == before:
                break

    def _write_once(self) -> None:
        for target in self._present:
            self._mark(target, "pending", "loss_state = 'held'")
            self._hold_back(target)
            self._rows(target, "updated").write_what_is_taken()
            self._rows(target, "inserted").write_what_is_taken()
            self._note_refused(target)
        for target in reversed(self._present):
            self._rows(target, "deleted").write_what_is_taken()

    def _write_again(self) -> None:
        """What triggers made of rows when others were written is set right, where they let us."""
        for target in self._present:
            for kind in _KEPT:
                self._rows(target, kind).set_right()

    def _rows(self, target: Target, kind: Kind) -> "_Rows":
        return _Rows(self.connection, target, kind)

    def _left(self) -> int:
        return sum(self._count(target, _UNDONE) for target in self.targets)

    def _hold_back(self, target: Target) -> None:
        """Rows that name a row that was not imported wait, also where no foreign key tells."""
        for reference in LOOSE_REFERENCES:
            if reference.table == target.table.name and not reference.within:
                self.connection.execute(held_back(target, reference, REFUSED))

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


def has_triggers(connection: psycopg.Connection, targets: Sequence[Target]) -> bool:
    """Whether a write to one of them may set off a trigger that is not ours."""
    oids = [target.relation.oid for target in targets if target.relation is not None]
    return connection.execute(statement("carrying/own_triggers"), {"oids": oids}).rowcount > 0


@dataclass(frozen=True)
class _Rows:
    """The rows of one kind in one table."""

    connection: psycopg.Connection
    target: Target
    kind: Kind

    def write(self, within: sql.Composable | None = None) -> None:
        """Write rows, by default all that are pending.

        Raises:
            _NotTakenError: not all were taken, so nothing was written.
        """
        rows = within or self._in("pending")
        count = self._extent(rows)[2]
        if not count:
            return
        try:
            with _all_or_nothing(self.connection):
                self._write(rows, count)
        except _NotTakenError as refusal:
            if not refusal.barred or self.kind != "updated":
                raise
            with _all_or_nothing(self.connection):
                if self.target.stands_alone:
                    self.connection.execute(deletion(self.target, rows))
                    self._write(rows, count, insertion)
                else:
                    self.lend(rows)
                    self._write(rows, count)

    def write_what_is_taken(self) -> None:
        """Write as many as are taken."""
        first, last, _ = self._extent(self._in("pending"))
        self._halve(first, last)
        # What only one row may have may pass around among these.
        with suppress(_NotTakenError):
            self.write(self._in("barred"))
        self._mark(self._in("barred"), "pending")

    def lend(self, rows: sql.Composable | None = None, *, doomed: bool = False) -> None:
        """See `lending`."""
        lent = lending(self.connection, self.target, rows or self._in("pending"), doomed=doomed)
        if lent is not None:
            self.connection.execute(lent)

    def set_right(self) -> None:
        """Write once more what was written and is otherwise now; what stays so was not taken."""
        otherwise = sql.SQL("{} AND NOT EXISTS ({})").format(self._in("written"), self._as_it_is())
        with suppress(_NotTakenError), _all_or_nothing(self.connection):
            self.connection.execute(update(self.target, otherwise))
        self._mark(otherwise, "conflict", _BY_A_TRIGGER)

    def _halve(self, first: int, last: int) -> None:
        rows = sql.SQL("{} AND s.loss_line BETWEEN {} AND {}").format(
            self._in("pending"), first, last
        )
        try:
            self.write(rows)
        except _NotTakenError:
            middle = (first + last) // 2
            if last - first < _EACH_BY_ITSELF:
                self._try_each(rows)
            else:
                self._halve(first, middle)
                self._halve(middle + 1, last)

    def _write(self, rows: sql.Composable, count: int, write: Write | None = None) -> None:
        for deletion_before in self._deletions_before(rows):
            self.connection.execute(deletion_before)
        write = write or _WRITES[self.kind]
        if self.connection.execute(write(self.target, rows)).rowcount != count:
            raise _NotTakenError(self._not_written)
        inexact = sql.SQL("SELECT {}").format(self._inexact(rows))
        if self.connection.execute(inexact).fetchone() == (True,):
            raise _NotTakenError(_INEXACT)
        self._mark(rows, "written")

    def _try_each(self, rows: sql.Composable) -> None:
        one = sql.SQL("s.loss_line = tried_line")
        before = (sql.SQL("{};").format(each) for each in self._deletions_before(one))
        self.connection.execute(
            sql.SQL(statement("carrying/try_each").decode()).format(
                staging=self.target.staging,
                rows=rows,
                before=sql.SQL(" ").join(before),
                write=_WRITES[self.kind](self.target, one),
                not_written=sql.Literal(self._not_written),
                inexact=self._inexact(one),
                inexactly=sql.Literal(_INEXACT),
                not_of_a_row=sql.Literal(_NOT_OF_A_ROW),
            )
        )

    @property
    def _not_written(self) -> str:
        return _REFERRED if self.kind == "deleted" else _INEXACT

    def _deletions_before(self, rows: sql.Composable) -> Iterator[sql.Composed]:
        """What was computed from rows goes with them, as it did where users deleted them."""
        if self.kind == "deleted":
            doomed = sql.SQL("id IN (SELECT loss_key FROM {} AS s WHERE {})").format(
                self.target.staging, rows
            )
            target = self.target
            yield from deletions_of_computed(
                self.connection, target.references, target.name, doomed
            )

    def _inexact(self, rows: sql.Composable) -> sql.Composable:
        """A condition: one of the rows was written, and is not there as it is."""
        if self.kind == "deleted":
            return sql.SQL("false")
        return sql.SQL("EXISTS (SELECT FROM {} AS s WHERE {} AND NOT EXISTS ({}))").format(
            self.target.staging, rows, self._as_it_is()
        )

    def _as_it_is(self) -> sql.Composed:
        return sql.SQL("SELECT FROM ({}) AS t WHERE t.id = s.loss_key AND {}").format(
            self.target.as_declared(),
            shows(self.target.table, content_digest(self.target.table, "t"), "loss_after"),
        )

    def _extent(self, rows: sql.Composable) -> tuple[int, int, int]:
        row = self.connection.execute(
            sql.SQL(
                "SELECT coalesce(min(loss_line), 0), coalesce(max(loss_line), 0), count(*)"
                " FROM {} AS s WHERE {}"
            ).format(self.target.staging, rows)
        ).fetchone()
        assert row is not None  # an aggregate
        return int(row[0]), int(row[1]), int(row[2])

    def _in(self, state: str) -> sql.Composed:
        return sql.SQL("s.loss_state = {} AND s.loss_change = {}").format(state, self.kind)

    def _mark(self, rows: sql.Composable, state: str, reason: str | None = None) -> None:
        self.connection.execute(
            sql.SQL(
                "UPDATE {} AS s SET loss_state = {}, loss_reason = coalesce({}, loss_reason)"
                " WHERE {}"
            ).format(self.target.staging, state, reason, rows)
        )


_NOTE_REFUSED = """
WITH forgotten AS (DELETE FROM {0} WHERE table_name = {1})
INSERT INTO {0} (table_name, key)
SELECT {1}, loss_key FROM {2}
WHERE loss_change = 'inserted' AND loss_state IN ('pending', 'held', 'barred')
"""
