"""The proof of a write lock: every kind of write is tried on every table, and undone."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ops.connection import first_line, place
from ops.errors import BusyError, RefusedError
from ops.sql_files import statement
from ops.write_lock.tables import Choose, UserRelation, hand_over, lockable_tables, relations

WRITE_LOCKED = "SGW01"


@dataclass(frozen=True)
class LockProof:
    """Every write that was tried, and refused.

    Attributes:
        tables: how many tables were tried.
        refused: kind of statement → how often it was refused.
        by_trigger, by_privilege: what refused it.
        not_tried: tables in use by readers, whom a TRUNCATE would have made wait; their trigger is
            there, and refused the other statements.
    """

    tables: int
    refused: Mapping[str, int]
    by_trigger: int
    by_privilege: int
    not_tried: tuple[str, ...]


@dataclass(frozen=True)
class _Attempt:
    """What became of one statement: trigger, privilege, publication, not tried, let through, or
    an error."""

    table: str
    kind: str
    outcome: str


def prove_locked(connection: psycopg.Connection, choose: Choose = lockable_tables) -> LockProof:
    """Try INSERT, UPDATE, DELETE, TRUNCATE and COPY on every table that a lock reaches (or those
    that are chosen of the database's relations), as whatever role this is.

    No row is written and no sequence moves, not even where a write is let through: no statement
    has a row to write, and what gets past the trigger is rolled back to a savepoint.

    Raises:
        RefusedError: a table let a write through; the message names the first.
        BusyError: another session has locked a table.
    """
    chosen = choose(relations(connection))
    with connection.transaction(force_rollback=True):
        hand_over(connection, chosen)
        attempts = _statements(connection) + _copies(connection, chosen)
    _judge(connection, attempts)
    return _proof(len(chosen), attempts)


def prove_statements(connection: psycopg.Connection, chosen: list[UserRelation]) -> None:
    """`prove_locked` of some tables alone, all in one statement, and therefore without COPY, which
    the trigger of INSERT refuses too. Raises what that raises."""
    with connection.transaction(force_rollback=True):
        hand_over(connection, chosen)
        attempts = _statements(connection)
    _judge(connection, attempts)


def _statements(connection: psycopg.Connection) -> list[_Attempt]:
    connection.execute(statement("write_lock/proof"))
    row = connection.execute("SELECT current_setting('sigmasight.proof')").fetchone()
    assert row is not None  # the script sets it
    found: list[dict[str, Any]] = json.loads(row[0])
    return [_Attempt(one["table"], one["kind"], one["outcome"]) for one in found]


def _copies(connection: psycopg.Connection, chosen: list[UserRelation]) -> list[_Attempt]:
    """COPY of no rows: the only write that a script on the server cannot try."""
    attempts = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', '300ms', true)")
        cursor.execute("SAVEPOINT copy_tried")
        for one in chosen:
            outcome = _copy(cursor, one)
            attempts.append(_Attempt(str(one), "COPY", outcome))
            cursor.execute("ROLLBACK TO SAVEPOINT copy_tried")
    return attempts


def _copy(cursor: psycopg.Cursor[Any], table: UserRelation) -> str:
    try:
        with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table.identifier)):
            pass
    except pg.InsufficientPrivilege:
        return "privilege"
    except pg.LockNotAvailable:
        return "not tried"
    except psycopg.Error as error:
        if error.sqlstate == WRITE_LOCKED:
            return "trigger"
        if error.sqlstate is None:
            raise
        return first_line(error)
    return "let through"


def _judge(connection: psycopg.Connection, attempts: list[_Attempt]) -> None:
    for attempt in attempts:
        _judge_one(attempt, place(connection))


def _judge_one(attempt: _Attempt, where: str) -> None:
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


def _proof(count: int, attempts: list[_Attempt]) -> LockProof:
    refused = [one for one in attempts if one.outcome != "not tried"]
    reasons = Counter(one.outcome for one in refused)
    return LockProof(
        count,
        dict(Counter(one.kind for one in refused)),
        reasons["trigger"],
        reasons["privilege"],
        tuple(one.table for one in attempts if one.outcome == "not tried"),
    )
