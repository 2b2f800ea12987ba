"""What Core remembers of each swap and rollback, so that the next run can finish or undo it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from app.gate.serving_pair import Pair
from ops.books.session import open_books
from ops.connection import first_value, rows_as
from ops.errors import FencedOutError

Kind = Literal["swap", "rollback"]
State = Literal["running", "done", "undone"]
LEADS_TO: Mapping[Kind, Pair] = {"swap": "new", "rollback": "old"}
# The plan of a rollback that had none; what it gave up is still in the new pair.
BLIND = "blind"


@dataclass(frozen=True)
class Cutover:
    """A swap or a rollback.

    Attributes:
        step: the last step that was begun.
        legacy: identity of the old database: system_identifier, database_oid, database_name.
        accepted_loss: rows that the operator gave up.
        held_seconds: how long requests were held; None where none were yet.
        timings: step → seconds.
        reason: why it was undone.
    """

    id: int
    kind: Kind
    state: State
    step: str
    plan_id: str
    legacy: Mapping[str, Any]
    accepted_loss: int
    held_seconds: float | None
    timings: Mapping[str, float]
    reason: str | None
    begun_at: datetime
    ended_at: datetime | None

    @property
    def leads_to(self) -> Pair:
        """The pair that it makes active."""
        return LEADS_TO[self.kind]


def begin_cutover(
    core: URL,
    kind: Kind,
    plan_id: str,
    legacy: Mapping[str, Any],
    accepted_loss: int,
    guard: Callable[[psycopg.Connection], object] = lambda _: None,
) -> int:
    """Record that a swap or rollback begins; returns its id. The caller holds the phases' lock.

    Args:
        guard: raises where a newer run has taken over; called in the same transaction.
    """
    with open_books(core) as session:
        guard(session)
        begun: int = first_value(
            session,
            "INSERT INTO ops.cutovers (kind, plan_id, legacy, accepted_loss)"
            " VALUES (%s, %s, %s, %s) RETURNING id",
            [kind, plan_id, Jsonb(dict(legacy)), accepted_loss],
        )
    return begun


def enter_step(
    core: URL, cutover: int, step: str, opened: psycopg.Connection | None = None
) -> None:
    """Record the step that begins. See `open_books`.

    Raises:
        FencedOutError: a newer run has brought this cutover to an end.
    """
    with open_books(core, opened) as session:
        written = session.execute(
            "UPDATE ops.cutovers SET step = %s WHERE id = %s AND state = 'running'", [step, cutover]
        )
        if not written.rowcount:
            raise FencedOutError("a newer run has ended this one, which stops here")


def end_cutover(
    core: URL,
    cutover: int,
    state: Literal["done", "undone"],
    timings: Mapping[str, float],
    *,
    held_seconds: float | None = None,
    reason: str | None = None,
) -> None:
    """Record how it ended, unless a newer run has."""
    with open_books(core) as session:
        session.execute(
            "UPDATE ops.cutovers SET state = %s, ended_at = now(), held_seconds = %s,"
            " timings = %s, reason = %s WHERE id = %s AND state = 'running'",
            [state, held_seconds, Jsonb(dict(timings)), reason, cutover],
        )


def first_words(error: BaseException) -> str:
    """Why something was undone, in one line."""
    if not isinstance(error, Exception):  # Ctrl-C, or the end of the process: a number, or nothing
        return "the command was interrupted"
    said = next(iter(str(error).splitlines()), "")
    return said if " " in said else f"{type(error).__name__} {said}".rstrip()


def known_cutovers(session: psycopg.Connection[Any]) -> list[Cutover]:
    """The swaps and rollbacks that were begun, newest first."""
    return rows_as(Cutover, session, "SELECT * FROM ops.cutovers ORDER BY id DESC")


def last_cutover(core: URL, *states: State) -> Cutover | None:
    """The newest swap or rollback in one of `states` (by default any), if there was one."""
    with open_books(core) as session:
        known = known_cutovers(session)
    return next((one for one in known if not states or one.state in states), None)
