"""Writing staged changes: all at once where the tables take them, else as many as they take.

Of what is refused together the server tries each row by itself, and says of those that it does not
take why: a key that another row holds, a row that is referred to and not there, a column too
narrow, a trigger.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ops.carrying.losses_file import Kind
from ops.carrying.target import Target, own_triggers, shows
from ops.sql_files import statement
from ops.verify.loose_references import LOOSE_REFERENCES

_INEXACT = "the table cannot hold it as it is"
_REFERRED = "rows that were added meanwhile refer to it"
_BY_A_TRIGGER = "a trigger of the table makes another row of it"
_WRITES: Mapping[Kind, Callable[[Target, sql.Composable], sql.Composed]] = {
    "inserted": Target.insertion,
    "updated": Target.update,
    "deleted": Target.deletion,
}
_KEPT: tuple[Kind, ...] = ("updated", "inserted")

# States of changes; `elsewhere` is one that the other database of a pair did not take.
DONE = ["written", "already"]
_LEFT = ["pending", "held", "barred", "refused"]
NOT_TAKEN = ["conflict", *_LEFT]
ELSEWHERE = "elsewhere"

# How code and context of an error begin by which a server speaks of itself, a session or our lock.
# Whatever else it says, it says of a row: a trigger may raise any code.
_NOT_OF_A_ROW = "^(SG|(08|25|40|53|57|58|55P03)(?!.* RAISE))"


class _NotTakenError(Exception):
    """The table took rows otherwise than they are, or not at all.

    Attributes:
        barred: whether others have what only one row may have.
    """

    def __init__(self, reason: object, *, barred: bool = False) -> None:
        super().__init__(str(reason))
        self.barred = barred


@contextmanager
def _all_or_nothing(session: psycopg.Connection) -> Iterator[None]:
    """Undo the block where a row is not taken.

    Raises:
        _NotTakenError: one is not.
    """
    try:
        with session.transaction():
            yield
    except psycopg.DatabaseError as error:
        said = f"{error.sqlstate}{error.diag.context}"
        if error.sqlstate is None or re.match(_NOT_OF_A_ROW, said, re.DOTALL):
            raise
        raise _NotTakenError(error, barred=isinstance(error, pg.UniqueViolation)) from None


def write_staged(session: psycopg.Connection, targets: Sequence[Target]) -> None:
    """Write the pending changes of one database until nothing more is taken: one row may make room
    for another, or be referred to by it, in either order.

    Args:
        targets: in the order of their references.
    """
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    present = [target for target in targets if target.relation is not None]
    left = _left(session)
    while left and (now := _write_what_is_taken(session, present)) < left:
        left = now
    if left:
        _write_making_room(session, present)
    if own_triggers(session, present):
        for target in present:
            for kind in _KEPT:
                _Rows(target, kind).set_right()


def _write_what_is_taken(session: psycopg.Connection, targets: Sequence[Target]) -> int:
    """How many are left then."""
    _try_again(session)
    for rows in _in_order(targets):
        if rows.kind == _KEPT[0]:
            _hold_back(rows.target)
        rows.write_what_is_taken()
    return _left(session)


def _write_making_room(session: psycopg.Connection, targets: Sequence[Target]) -> None:
    """Write all or nothing: a row that is about to go makes room first, though others still refer
    to it."""
    with suppress(_NotTakenError), _all_or_nothing(session):
        _try_again(session)
        for target in targets:
            _hold_back(target)
            _Rows(target, "deleted").lend("pending", doomed=True)
        for rows in _in_order(targets):
            rows.write()
        if _left(session):
            raise _NotTakenError(_REFERRED)


def _try_again(session: psycopg.Connection) -> None:
    session.execute("UPDATE cutover_changes SET state = 'pending' WHERE state = ANY(%s)", [_LEFT])


def _in_order(targets: Sequence[Target]) -> "Iterator[_Rows]":
    """Parents first, deletions in reverse."""
    yield from (_Rows(target, kind) for target in targets for kind in _KEPT)
    yield from (_Rows(target, "deleted") for target in reversed(targets))


def _left(session: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM cutover_changes WHERE state = ANY(%s)"
    row = session.execute(query, [_LEFT]).fetchone()
    return int(row[0]) if row else 0


def _hold_back(target: Target) -> None:
    """Have rows wait that name a row that was not taken, also where no foreign key tells."""
    for one in LOOSE_REFERENCES:
        if one.table == target.table.name and not one.within:
            target.session.execute(
                sql.SQL(
                    "UPDATE {} AS s SET state = 'held', reason = {} FROM cutover_changes AS r"
                    " WHERE s.state = 'pending' AND r.table_name = {} AND r.key = {}"
                    " AND r.state IN ('elsewhere', 'refused', 'barred', 'held')"
                    " AND r.before IS NULL"
                ).format(
                    target.staging,
                    f"its row of {one.target} was not imported",
                    one.target,
                    sql.Identifier("s", one.column),
                )
            )


@dataclass(frozen=True)
class _Rows:
    """The changes of one kind in one table."""

    target: Target
    kind: Kind

    def write(self, state: str = "pending") -> None:
        """Write those of a state.

        Raises:
            _NotTakenError: not all were taken, so nothing was written.
        """
        rows = self._in(state)
        if not self._any(rows):
            return
        try:
            with _all_or_nothing(self.target.session):
                self._write(rows, _WRITES[self.kind])
        except _NotTakenError as refusal:
            if not refusal.barred or self.kind != "updated":
                raise
            with _all_or_nothing(self.target.session):
                self._write_in_passing(state)

    def write_what_is_taken(self) -> None:
        """Write as many as are taken."""
        try:
            self.write()
        except _NotTakenError:
            self._try_each(self._in("pending"))
            # What only one row may have may pass around among these.
            with suppress(_NotTakenError):
                self.write("barred")

    def set_right(self) -> None:
        """What triggers made of rows when others were written is set right, where they let us; what
        stays otherwise was not taken."""
        session = self.target.session
        otherwise = sql.SQL("{} AND {}").format(self._in("written"), self._is_otherwise())
        with suppress(_NotTakenError), _all_or_nothing(session):
            session.execute(self.target.update(otherwise))
        self._mark(otherwise, "conflict", _BY_A_TRIGGER)

    def _write_in_passing(self, state: str) -> None:
        """Write updates among which passes what only one row may have."""
        rows = self._in(state)
        if self.target.stands_alone:
            self.target.session.execute(self.target.deletion(rows))
            self._write(rows, Target.insertion)
        else:
            self.lend(state)
            self._write(rows, Target.update)

    def lend(self, state: str, *, doomed: bool = False) -> None:
        """See `Target.lending`."""
        if (lent := self.target.lending(self._in(state), doomed=doomed)) is not None:
            self.target.session.execute(lent)

    def _write(
        self, rows: sql.Composable, write: Callable[[Target, sql.Composable], sql.Composed]
    ) -> None:
        session = self.target.session
        for deletion in self._deletions_before(rows):
            session.execute(deletion)
        written = session.execute(write(self.target, rows)).rowcount
        if self._any(self._inexact(rows)):
            raise _NotTakenError(_INEXACT)
        if self._mark(rows, "written") != written:
            raise _NotTakenError(self._not_written)

    def _try_each(self, rows: sql.Composable) -> None:
        one = sql.SQL("s.line = tried_line")
        before = (sql.SQL("{};").format(each) for each in self._deletions_before(one))
        self.target.session.execute(
            sql.SQL(statement("carrying/try_each").decode()).format(
                staging=self.target.staging,
                rows=rows,
                before=sql.SQL(" ").join(before),
                write=_WRITES[self.kind](self.target, one),
                not_written=self._not_written,
                inexact=sql.SQL("EXISTS (SELECT FROM {} AS s WHERE {})").format(
                    self.target.staging, self._inexact(one)
                ),
                inexactly=_INEXACT,
                not_of_a_row=_NOT_OF_A_ROW,
            )
        )

    @property
    def _not_written(self) -> str:
        return _REFERRED if self.kind == "deleted" else _INEXACT

    def _deletions_before(self, rows: sql.Composable) -> Iterator[sql.Composed]:
        if self.kind == "deleted":
            yield from self.target.deletions_of_computed(rows)

    def _inexact(self, rows: sql.Composable) -> sql.Composable:
        """A condition: one of the rows, was written and is not there as it is."""
        if self.kind == "deleted":
            return sql.SQL("false")
        return sql.SQL("{} AND {}").format(rows, self._is_otherwise())

    def _is_otherwise(self) -> sql.Composed:
        return sql.SQL("NOT EXISTS (SELECT FROM ({}) AS t WHERE {})").format(
            self.target.as_declared(sql.SQL("r.id = s.key")), shows(self.target.table, "after")
        )

    def _in(self, state: str) -> sql.Composed:
        return sql.SQL("s.state = {} AND s.change = {}").format(state, self.kind)

    def _any(self, rows: sql.Composable) -> bool:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} AS s WHERE {})")
        found = self.target.session.execute(query.format(self.target.staging, rows)).fetchone()
        return found == (True,)

    def _mark(self, rows: sql.Composable, state: str, reason: str | None = None) -> int:
        return self.target.session.execute(
            sql.SQL("UPDATE {} AS s SET state = {}, reason = coalesce({}, reason) WHERE {}").format(
                self.target.staging, state, reason, rows
            )
        ).rowcount
