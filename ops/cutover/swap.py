"""Phase 9: the backend changes from the old database to Core and AI, and no request is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.copy.groups import GROUPS
from ops.cutover.access import recorded_access
from ops.cutover.legacy_identity import identity
from ops.cutover.move import Move
from ops.cutover.plan import plan_id, refuse_moved
from ops.cutover.preflight import Condition, refuse_unmet, swap_conditions
from ops.cutover.record import Cutover, swap_in_force
from ops.cutover.recovery import recover
from ops.cutover.report import CutoverReport
from ops.cutover.steps import Steps, carry_out
from ops.cutover.swap_price import Price, copied_groups, swap_price
from ops.cutover.swap_steps import SwapSteps
from ops.errors import RefusedError


@dataclass(frozen=True)
class SwapPlan:
    """What a swap would do.

    Attributes:
        conditions: what must hold, as found.
        price: rows of legacy that the new pair lacks now.
        groups: what the swap copies again before it changes anything.
        legacy: identity of the old database.
    """

    conditions: list[Condition]
    price: Price
    groups: tuple[str, ...]
    legacy: Mapping[str, Any]
    plan_id: str


def plan_swap(move: Move) -> SwapPlan:
    """Look at everything that a swap depends on; nothing is changed.

    Raises:
        RefusedError: there is no old database.
    """
    legacy = identity(move.legacy)
    conditions = swap_conditions(move)
    with recorded_access(move.core, move.legacy, "swap plan"):
        price = swap_price(move.legacy, move.core, move.ai)
    groups = copied_groups(move.core)
    copied = {spec.table for group in groups for spec in GROUPS[group]}
    lasting = {table: rows for table, rows in price.by_table.items() if table not in copied}
    return SwapPlan(conditions, price, groups, legacy, plan_id("swap", move, legacy, lasting))


def swap(move: Move, *, accept_loss: int = 0, plan: str | None = None) -> CutoverReport:
    """Make Core and AI the active pair. Where they are, nothing is done.

    The caller holds the phases' lock. Whatever fails, everything is put back; a run that is killed
    leaves one of the pairs serving, and the next swap or rollback finishes or undoes it.

    Args:
        accept_loss: rows of legacy that the new pair may lack.
        plan: an id that a dry run printed.

    Raises:
        RefusedError: a condition does not hold, or rows would be lost.
    """
    recovered = recover(move)
    last = swap_in_force(move.core)
    if last is not None:
        _refuse_lost_value(move)
    move.switch.serve_active()
    if last is not None:
        return _already(move, last, recovered)
    planned = plan_swap(move)
    refuse_unmet(planned.conditions)
    refuse_moved(plan, planned.plan_id)

    def work(steps: Steps) -> tuple[float, int]:
        return SwapSteps(move, steps, planned.groups, accept_loss).carry_out(), 0

    report = carry_out(move, "swap", planned.plan_id, planned.legacy, accept_loss, work)
    return replace(report, recovered=recovered)


def _refuse_lost_value(move: Move) -> None:
    """A second swap would set Core back to what the old database was at the first."""
    if move.switch.active() == "old":
        raise RefusedError(
            "Core records a swap in force, but the active pair is the old one, so that value was "
            'lost; write {"pair": "new"} into active_pair.json of the state folder (or `active: '
            "new` into the stack's file), or run `sigmasight rollback`"
        )


def _already(move: Move, last: Cutover, recovered: str | None) -> CutoverReport:
    return CutoverReport(
        "new",
        recovered is not None,
        move.switch.public_address(),
        last.held_seconds or 0.0,
        last.timings,
        recovered=recovered,
        ended_at=last.ended_at,
    )
