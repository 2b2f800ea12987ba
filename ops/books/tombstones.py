"""What is remembered of a cleanup: written before anything goes, finished when all is gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.books.session import open_books
from ops.connection import rows_as

State = Literal["running", "done"]


@dataclass(frozen=True)
class Tombstone:
    """A cleanup that removes, or has removed.

    Attributes:
        cutover: the swap after which it was allowed.
        state: `running` from before the first removal; a killed one is finished by the next run.
        step: the last one that was begun.
        removed: what goes, and of each thing what became of it.
        evidence: condition → what showed that it held.
        waiver: who did without a dump of the old database, and why.
    """

    id: int
    cutover: int
    plan_id: str
    state: State
    step: str
    removed: Mapping[str, Any]
    evidence: Mapping[str, Any]
    waiver: str | None
    begun_at: datetime
    ended_at: datetime | None


def last_tombstone(session: psycopg.Connection[Any]) -> Tombstone | None:
    """The cleanup that was begun or done after the swap in force; None while the old database is
    there to roll back to."""
    found = rows_as(
        Tombstone,
        session,
        "SELECT * FROM ops.tombstones WHERE cutover ="
        " (SELECT max(id) FROM ops.cutovers WHERE kind = 'swap' AND state = 'done')",
    )
    return found[0] if found else None


def cleaned_up(core: URL) -> Tombstone | None:
    """`last_tombstone` of a Core database."""
    with open_books(core) as session:
        return last_tombstone(session)


def begin_tombstone(
    core: URL,
    cutover: int,
    plan_id: str,
    removed: Mapping[str, Any],
    evidence: Mapping[str, Any],
    waiver: str | None,
) -> None:
    """Record what will be removed, and why it is allowed."""
    with open_books(core) as session:
        session.execute(
            "INSERT INTO ops.tombstones (cutover, plan_id, state, removed, evidence, waiver)"
            " VALUES (%s, %s, 'running', %s, %s, %s)",
            [cutover, plan_id, Jsonb(dict(removed)), Jsonb(dict(evidence)), waiver],
        )


def enter_step(core: URL, plan_id: str, step: str) -> None:
    """Record the step that begins."""
    with open_books(core) as session:
        session.execute("UPDATE ops.tombstones SET step = %s WHERE plan_id = %s", [step, plan_id])


def note_removed(core: URL, plan_id: str, what: str, outcome: object) -> None:
    """Record what became of a thing."""
    with open_books(core) as session:
        session.execute(
            "UPDATE ops.tombstones SET removed = jsonb_set(removed, %s, %s) WHERE plan_id = %s",
            [["outcome", what], Jsonb(outcome), plan_id],
        )


def end_tombstone(core: URL, plan_id: str) -> None:
    """Record that all of it is gone."""
    with open_books(core) as session:
        session.execute(
            "UPDATE ops.tombstones SET state = 'done', step = 'done', ended_at = now()"
            " WHERE plan_id = %s",
            [plan_id],
        )
