"""The gate's row in Core: which pair backends that hold both serve, and whether requests wait."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.rows import class_row

from app.gate.gate import BELIEVED_SECONDS
from app.gate.serving_pair import Pair
from ops.connection import first_value
from ops.sql_files import statement

# Whoever holds, or ends streams, has this advisory lock for as long as he lives; `ops.settle_gate`
# looks for it.
_HOLDER, _ENDS_STREAMS = (28, 12), (28, 13)

# A database of a backend's beside Core, whose row it follows.
Half = Literal["old", "ai"]


@dataclass(frozen=True)
class Replicas:
    """The backends that may be serving.

    Attributes:
        held: of them, at rest in this epoch.
        open: of them, serving in this epoch.
        told: of them, having read the row since a moment.
    """

    seen: int
    held: int
    open: int
    told: int

    @property
    def all_held(self) -> bool:
        """Nobody is served."""
        return self.held == self.seen

    @property
    def all_open(self) -> bool:
        """Everybody is."""
        return self.open == self.seen

    @property
    def all_told(self) -> bool:
        """The row was read everywhere."""
        return self.told == self.seen


def take_over(session: psycopg.Connection, pair: Pair) -> Pair:
    """Have a gate, which serves `pair` where there was none yet; and end a hold whose holder is
    gone. Returns the pair that is served."""
    session.execute("INSERT INTO ops.gate (pair) VALUES (%s) ON CONFLICT DO NOTHING", [pair])
    session.execute(
        "DELETE FROM ops.gate_replicas WHERE seen_at < clock_timestamp() - interval '1 hour'"
    )
    session.execute("SELECT ops.settle_gate()")
    return served_pair(session) or pair


def served_pair(session: psycopg.Connection) -> Pair | None:
    """The pair that is served; None where no gate was ever used."""
    if first_value(session, "SELECT to_regclass('ops.gate')") is None:
        return None
    pair: Pair | None = first_value(session, "SELECT pair FROM ops.gate")
    return pair


def replicas(session: psycopg.Connection, pair: Pair, since: datetime | None = None) -> Replicas:
    """Those that may serve a pair still.

    Args:
        since: by the server's clock; now where none is given.
    """
    told = {"believed": BELIEVED_SECONDS[pair], "since": since or "now"}
    with session.cursor(row_factory=class_row(Replicas)) as cursor:
        found = cursor.execute(statement("books/gate_replicas"), told).fetchone()
    return found or Replicas(0, 0, 0, 0)


def met(session: psycopg.Connection, pair: Pair, digest: str) -> list[Collection[Half] | None]:
    """Of each backend that may serve a pair still: in which of its databases it has found whoever
    began the trial of a digest; None where it has not said so."""
    told = {"believed": BELIEVED_SECONDS[pair], "digest": digest}
    return [found for (found,) in session.execute(statement("books/gate_met"), told)]


def set_trial(session: psycopg.Connection, digest: str | None) -> datetime:
    """Let whoever knows the word of a digest ask the other pair, or nobody; since when."""
    trial = "UPDATE ops.gate SET trial_digest = %s RETURNING clock_timestamp()"
    since: datetime = first_value(session, trial, [digest])
    _wake(session)
    return since


def end_trial(session: psycopg.Connection, digest: str) -> None:
    """Let nobody ask the other pair by the word of a digest any more; another's word stays."""
    session.execute("UPDATE ops.gate SET trial_digest = NULL WHERE trial_digest = %s", [digest])
    _wake(session)


def end_streams(session: psycopg.Connection, seconds: float) -> bool:
    """Have new streams wait for as long as this session lives, and those under way end within
    `seconds`. False where they have no time, or somebody else does so, or holds."""
    if seconds <= 0 or _is_taken(session, _ENDS_STREAMS):
        return False
    told = session.execute(
        "UPDATE ops.gate SET stream_seconds = %s, epoch = epoch + 1 WHERE state = 'open'", [seconds]
    )
    _wake(session)
    return told.rowcount == 1


def let_streams_begin(session: psycopg.Connection) -> None:
    """No hold is near any more."""
    session.execute("UPDATE ops.gate SET stream_seconds = 0 WHERE state = 'open'")
    _wake(session)


def begin_hold(session: psycopg.Connection, most_seconds: float) -> int | None:
    """Have requests wait for as long as this session lives, and no longer than `most_seconds`; the
    epoch, or None where somebody holds already."""
    if _is_taken(session, _HOLDER):
        return None
    session.execute("SELECT ops.settle_gate()")
    begun: int | None = first_value(
        session,
        "UPDATE ops.gate SET state = 'held', epoch = epoch + 1, stream_seconds = 0,"
        " deadline = clock_timestamp() + make_interval(secs => %s)"
        " WHERE state = 'open' RETURNING epoch",
        [most_seconds],
    )
    _wake(session)
    return begun


def flip(session: psycopg.Connection, epoch: int, pair: Pair) -> bool:
    """Change the pair while requests wait; False where they do not wait any more."""
    changed = session.execute(
        "UPDATE ops.gate SET pair = %s, state = 'flipped'"
        " WHERE epoch = %s AND state <> 'open' AND clock_timestamp() < deadline",
        [pair, epoch],
    )
    return changed.rowcount == 1


def end_hold(session: psycopg.Connection, epoch: int) -> None:
    """Let requests through, unless that has happened already."""
    session.execute(
        "UPDATE ops.gate SET state = 'open', deadline = NULL WHERE epoch = %s AND state <> 'open'",
        [epoch],
    )
    _wake(session)


def _is_taken(session: psycopg.Connection, key: tuple[int, int]) -> bool:
    return not first_value(session, "SELECT pg_try_advisory_lock(%s, %s)", key)


def _wake(session: psycopg.Connection) -> None:
    session.execute("SELECT pg_notify('sigmasight_gate', '')")
