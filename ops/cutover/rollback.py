"""Back to the old database, at a price that is stated first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.cleanup import cleaned_up
from ops.cutover.legacy_identity import identity
from ops.cutover.move import Move
from ops.cutover.plan import plan_id, refuse_moved
from ops.cutover.record import last_cutover, swap_in_force
from ops.cutover.recovery import recover
from ops.cutover.report import CutoverReport
from ops.cutover.rollback_price import RollbackPrice, rollback_price
from ops.cutover.rollback_steps import Acceptance, RollbackSteps
from ops.cutover.steps import carry_out
from ops.errors import RefusedError


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback would do.

    Attributes:
        price: what users wrote to the new pair since the swap.
        legacy: identity of the old database.
    """

    price: RollbackPrice
    legacy: Mapping[str, Any]
    plan_id: str


def plan_rollback(move: Move) -> RollbackPlan:
    """Look at what a rollback would cost; nothing is changed.

    Raises:
        RefusedError: no swap is in force, or the old database is gone or another one.
    """
    _refuse_removed(move)
    swapped = swap_in_force(move.core)
    if swapped is None:
        raise RefusedError("no swap is in force, so there is nothing to roll back")
    legacy = identity(move.legacy)
    if legacy != swapped.legacy:
        raise RefusedError(
            "the old database is not the one that the swap left; correct LEGACY_DATABASE_URL"
        )
    price = rollback_price(move.core, move.ai)
    return RollbackPlan(price, legacy, plan_id("rollback", move, legacy, price.by_table))


def _refuse_removed(move: Move) -> None:
    tombstone = cleaned_up(move.core)
    if tombstone is not None:
        raise RefusedError(
            f"the old database was removed by a cleanup on {tombstone.begun_at:%d %B %Y}; there "
            "is nothing to roll back to, restore a backup instead"
        )


def rollback(
    move: Move, accepted: Acceptance | None = None, *, plan: str | None = None
) -> CutoverReport:
    """Make the old database active again. Where it is, nothing is done.

    The caller holds the phases' lock. Failures and kills are dealt with as by `swap`.

    Args:
        accepted: what may be lost; by default nothing.
        plan: an id that a dry run printed.

    Raises:
        RefusedError: it is not possible, or rows would be lost.
    """
    accepted = accepted or Acceptance()
    accepted.refuse_taken_file()
    recovered = recover(move)
    if swap_in_force(move.core) is None and move.switch.active() == "old":
        return _already(move, recovered)
    planned = plan_rollback(move)
    refuse_moved(plan, planned.plan_id)
    accepted.check(planned.price)
    move.switch.serve_active()
    report = carry_out(
        move,
        "rollback",
        planned.plan_id,
        planned.legacy,
        accepted.rows,
        lambda steps: RollbackSteps(move, steps, accepted).carry_out(),
    )
    return replace(report, export=accepted.export if report.lost else None, recovered=recovered)


def _already(move: Move, recovered: str | None) -> CutoverReport:
    move.switch.serve_active()
    last = last_cutover(move.core, "done")
    return CutoverReport(
        "old",
        recovered is not None,
        move.switch.public_address(),
        recovered=recovered,
        ended_at=last.ended_at if last else None,
    )
