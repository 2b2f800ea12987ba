"""The proof of a write lock: every kind of write is tried on every table, and undone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from ops.connection import place
from ops.errors import BusyError, RefusedError
from ops.sql_files import statement
from ops.write_lock.tables import UserRelation, hand_over


@dataclass(frozen=True)
class Attempt:
    """What became of one statement: trigger, privilege, publication, not tried (a TRUNCATE that
    would have made a reader wait), let through, or an error."""

    table: str
    kind: str
    outcome: str


def prove_locked(
    connection: psycopg.Connection, chosen: Sequence[UserRelation], *, truncate: bool = True
) -> list[Attempt]:
    """Try INSERT, UPDATE, DELETE and TRUNCATE on tables, as whatever role this is. COPY is refused
    by the trigger of INSERT, unless the server refuses it by itself.

    No row is written and no sequence moves, not even where a write is let through: no statement
    has a row to write, and what gets past the trigger is rolled back to a savepoint.

    Args:
        truncate: whether that is tried. Where this session has locked the tables already it asks
            for a stronger lock beside its own, and if only for a millisecond: whoever has locked a
            row and goes to write it at that moment is ended by the server as a deadlock. So not
            where others work.

    Raises:
        RefusedError: a table let a write through; the message names the first.
        BusyError: another session has locked a table.
    """
    with connection.transaction(force_rollback=True):
        hand_over(connection, chosen)
        connection.execute("SELECT set_config('sigmasight.truncate', %s, true)", [str(truncate)])
        connection.execute(statement("write_lock/proof"))
        row = connection.execute("SELECT current_setting('sigmasight.proof')").fetchone()
    assert row is not None  # the script sets it
    attempts = [Attempt(**one) for one in json.loads(row[0])]
    for attempt in attempts:
        _judge(attempt, place(connection))
    return attempts


def _judge(attempt: Attempt, where: str) -> None:
    match attempt.outcome:
        case "trigger" | "privilege" | "publication":
            return
        case "not tried" if attempt.kind == "TRUNCATE":
            return
        case "not tried":
            raise BusyError(f"another session has locked {attempt.table!r} of {where}; try again")
        case "let through":
            raise RefusedError(
                f"{where} is not locked: {attempt.table!r} let {attempt.kind} through; "
                "nothing was written"
            )
        case reason:
            raise RefusedError(
                f"whether {attempt.table!r} of {where} is locked cannot be told: "
                f"{attempt.kind} says {reason!r}; mend that table, or remove it"
            )
