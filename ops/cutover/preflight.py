"""What must hold before a swap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ops.connection import connect, explained
from ops.cutover.move import Move
from ops.drift import drift_of_pair
from ops.drift.refusal import refuse_drift
from ops.errors import RefusedError, VerificationError
from ops.sql_files import statement
from ops.verify.record import last_verification

FRESH = timedelta(hours=24)


@dataclass(frozen=True)
class Condition:
    """Something that must hold, as it was found just now.

    Attributes:
        detail: one line; of a condition that does not hold, what to do.
    """

    name: str
    holds: bool
    detail: str


def swap_conditions(move: Move) -> list[Condition]:
    """Look at everything that must hold before a swap; none hides the others."""
    ledger = _ledger(move)
    return [_verified(move, ledger), _no_drift(move), _complete(ledger)]


def refuse_unmet(conditions: Sequence[Condition]) -> None:
    """Let nothing pass that does not hold.

    Raises:
        RefusedError: the first condition that does not hold, in its words.
    """
    unmet = [condition for condition in conditions if not condition.holds]
    if unmet:
        more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        raise RefusedError(f"not swapped: {unmet[0].detail}{more}")


def _verified(move: Move, ledger: "_Ledger") -> Condition:
    name = "verified"
    last = last_verification(move.settings.state, move.core)
    if last is None:
        return Condition(name, False, "the new pair was never verified; run `sigmasight verify`")
    if not last.ok:
        detail = f"{last.failed} checks failed when it was verified; correct that and verify again"
        return Condition(name, False, detail)
    age = datetime.now(UTC) - last.at
    if age > FRESH:
        return Condition(name, False, "the verification is older than a day; run it again")
    changed = ledger.recorded_at
    if changed is not None and changed > last.at:
        return Condition(name, False, "a backfill wrote after the verification; verify again")
    return Condition(name, True, f"{last.passed} checks passed {age.total_seconds():.0f} s ago")


def _no_drift(move: Move) -> Condition:
    try:
        refuse_drift(drift_of_pair(move.core, move.ai))
    except VerificationError as error:
        return Condition("no drift", False, str(error))
    return Condition("no drift", True, "Core and AI are what their chains build")


def _complete(found: "_Ledger") -> Condition:
    holds = not found.failed and not found.behind and found.done > 0
    detail = f"{found.done} portfolios done, {found.behind} behind, {found.failed} days failed"
    advice = "" if holds else "; run `sigmasight backfill`"
    return Condition("backfill complete", holds, detail + advice)


@dataclass(frozen=True)
class _Ledger:
    failed: int
    done: int
    behind: int
    recorded_at: datetime | None


def _ledger(move: Move) -> _Ledger:
    with explained(move.core), connect(move.core, application_name="preflight") as core:
        row = core.execute(statement("cutover_ledger")).fetchone()
    assert row is not None  # an aggregate always has a row
    return _Ledger(*row)
