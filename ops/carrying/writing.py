"""Writing staged changes: all at once where the tables take them, else as many as they take.

What is refused together is tried in parts and then row by row, and the server says of each row
that it does not take why: a key that another row holds, a row that is referred to and not there, a
column too narrow, a trigger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ops.carrying.losses_file import Kind
from ops.carrying.staging import encoding_of
from ops.carrying.target import Target, own_triggers, shows
from ops.sql_files import statement
from ops.verify.loose_references import LOOSE_REFERENCES

_INEXACT = "the table cannot hold it as it is"
_REFERRED = "other rows of that database refer to it"
_BY_A_TRIGGER = "a trigger of the table makes another row of it"
Write = Callable[[Target, sql.Composable], sql.Composed]
_WRITES: Mapping[Kind, Write] = {
    "inserted": Target.insertion,
    "updated": Target.update,
    "deleted": Target.deletion,
}
_KEPT: tuple[Kind, ...] = ("updated", "inserted")

# States of changes; `elsewhere` is one that the other database of a pair did not take.
DONE = ["written", "already"]
_UNTAKEN = ["pending", "barred", "hindered", "refused"]
_LEFT = ["held", *_UNTAKEN]
NOT_TAKEN = ["conflict", "remembered", *_LEFT]
ELSEWHERE = "elsewhere"

# How many rows are tried at a time.
_ALL, _SOME, _EACH = 2**62, 500, 1

# How code and context of an error begin by which a server speaks of itself, a session or our lock.
# Whatever else it says, it says of a row: a trigger may raise any code.
_NOT_OF_A_ROW = "^(SG|(08|25|40|53|57|58|55P03)(?!.* RAISE))"


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


def _write_what_is_taken(
    session: psycopg.Connection, targets: Sequence[Target], *, making_room: bool = False
) -> int:
    """How many are left then.

    Args:
        making_room: a row that is about to go makes room first, though others still refer to it.
    """
    session.execute("UPDATE cutover_changes SET state = 'pending' WHERE state = ANY(%s)", [_LEFT])
    staged = _staged(session, targets)
    for rows in staged:
        if rows.kind == "deleted" and making_room and rows.target.lendable():
            rows.try_rows(Target.making_room, done="pending")
    for rows in staged:
        if rows.kind in _KEPT:
            _hold_back(rows.target)
        rows.write()
    return _left(session)


def _write_making_room(session: psycopg.Connection, targets: Sequence[Target]) -> None:
    """Write all that is left, or nothing."""
    with session.transaction():
        if _write_what_is_taken(session, targets, making_room=True):
            raise psycopg.Rollback


def _staged(session: psycopg.Connection, targets: Sequence[Target]) -> "list[_Rows]":
    """What there are changes of: parents first, deletions in reverse."""
    query = "SELECT DISTINCT table_name, change FROM cutover_changes"
    known = set(session.execute(query).fetchall())
    kept = (_Rows(target, kind) for target in targets for kind in _KEPT)
    gone = (_Rows(target, "deleted") for target in reversed(targets))
    return [one for one in (*kept, *gone) if (one.target.table.name, one.kind) in known]


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
                    " AND r.state NOT IN ('pending', 'written', 'already', 'conflict')"
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

    def write(self) -> None:
        """Write as many as are taken."""
        write = _WRITES[self.kind]
        for size in (_ALL, _SOME, _EACH):
            self.try_rows(write, size)
        if self.kind == "updated":
            # What only one row may have may pass around among these; else each is told its reason.
            self.try_rows(Target.passing, states=["barred"])
            self.try_rows(write, _EACH)

    def set_right(self) -> None:
        """What triggers made of rows when others were written is set right, where they let us; what
        stays otherwise was not taken."""
        altered = sql.SQL("{} AND {}").format(self._in(["written"]), self._otherwise())
        self.target.session.execute(
            sql.SQL("UPDATE {} AS s SET state = 'altered' WHERE {}").format(
                self.target.staging, altered
            )
        )
        self.try_rows(Target.update, _EACH, states=["altered"], complaint=_BY_A_TRIGGER)

    def try_rows(
        self,
        write: Write,
        size: int = _ALL,
        *,
        states: Sequence[str] = _UNTAKEN,
        done: str = "written",
        complaint: str | None = None,
    ) -> None:
        """Try the rows of some states, so many at a time; of those taken the state is `done`.

        Args:
            complaint: what is said of a row that is then not as it should be.
        """
        untaken = self._in(states)
        if not self._any(untaken):
            return
        rows = sql.SQL("{} AND s.line BETWEEN tried_first AND tried_last").format(untaken)
        self.target.session.execute(
            sql.SQL(statement("carrying/try_rows").decode()).format(
                staging=self.target.staging,
                untaken=untaken,
                size=size,
                rows=rows,
                write=write(self.target, rows),
                unwritten=complaint or (_REFERRED if self.kind == "deleted" else self._inexact),
                otherwise=sql.SQL("false") if self.kind == "deleted" else self._otherwise(),
                inexact=complaint or self._inexact,
                done=done,
                not_of_a_row=_NOT_OF_A_ROW,
            )
        )

    @property
    def _inexact(self) -> str:
        lacking = encoding_of(self.target.session)
        return f"{_INEXACT}, its encoding being {lacking}" if lacking else _INEXACT

    def _otherwise(self) -> sql.Composed:
        """A condition: the row is not there as it is staged."""
        return sql.SQL("NOT EXISTS (SELECT FROM ({}) AS t WHERE {})").format(
            self.target.as_declared(sql.SQL("r.id = s.key")), shows(self.target.table, "after")
        )

    def _in(self, states: Sequence[str]) -> sql.Composed:
        return sql.SQL("s.state = ANY({}) AND s.change = {}").format(list(states), self.kind)

    def _any(self, rows: sql.Composable) -> bool:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} AS s WHERE {})")
        found = self.target.session.execute(query.format(self.target.staging, rows)).fetchone()
        return found == (True,)
