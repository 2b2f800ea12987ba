"""The way back at any time before the cleanup, with what users wrote since the swap."""

from pathlib import Path

from prefect import get_run_logger

from flows.artifacts import rows_table
from flows.cleanup_schedule import deactivate_cleanup_schedule
from flows.cutover import current_installation, cutover_name, tell
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.run_lock import Fence, exclusive_run
from ops.cutover.blind import refuse_priced, roll_back_blindly
from ops.cutover.forecast import in_words
from ops.cutover.installation import MAX_HOLD_SECONDS, STREAM_SECONDS, Installation
from ops.cutover.plan import refuse_planned_look
from ops.cutover.rollback import Acceptance, RollbackPlan, plan_rollback
from ops.cutover.rollback import rollback as roll_back
from ops.cutover.steps import CutoverReport
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import resolve_endpoints
from ops.settings import operator_settings


@phase_flow("rollback", flow_run_name=lambda: cutover_name("rollback", "to the old database"))
def rollback(
    accept_loss: int = 0,
    export: Path | None = None,
    dry_run: bool = False,
    plan_id: str | None = None,
    stream_seconds: float = STREAM_SECONDS,
    blind: bool = False,
    max_hold: float = MAX_HOLD_SECONDS,
) -> CutoverReport | RollbackPlan:
    """Serve from the old database again, with what users wrote since the swap. What that cannot
    hold is the price.

    Args:
        accept_loss: give up at most this many rows.
        export: write those rows to this file first; `sigmasight import` reads it.
        dry_run: only show the price, under an id.
        plan_id: refuse unless this is still what a dry run would print.
        stream_seconds: how long a chat's answer that is under way may go on.
        max_hold: for how many seconds users may wait; a rollback that takes longer is none.
        blind: only for a lost Core or AI: go back without a price, whatever users wrote.
    """
    refuse_priced(blind, accept_loss, export, dry_run, plan_id)
    refuse_planned_look(dry_run, plan_id)
    if blind:
        return _without_core(stream_seconds, max_hold)
    core = resolve_endpoints(operator_settings()).core
    with exclusive_run(core) as fence:
        installation = current_installation(fence, stream_seconds, max_hold)
        if dry_run:
            return plan_task(installation)
        report = rollback_task(installation, Acceptance(accept_loss, export), plan_id)
        tell(report, "rollback", installation)
    deactivate_cleanup_schedule()
    return report


def _without_core(stream_seconds: float, max_hold: float) -> CutoverReport:
    settings = operator_settings()
    databases = EmbeddedDatabases(settings.state)
    if settings.embedded and databases.exists() and "legacy" in databases.names():
        databases.up(("legacy",))
    # Without Core there is no lock of the phases, and no phase that could run beside it.
    installation = current_installation(Fence(0), stream_seconds, max_hold)
    report = blind_task(installation)
    tell(report, "rollback", installation, recorded=False)
    deactivate_cleanup_schedule()
    return report


@phase_task("price")
def plan_task(installation: Installation) -> RollbackPlan:
    """Try to carry back what users wrote since the swap; nothing is kept."""
    plan = plan_rollback(installation)
    said = "plan %s: %s; %s"
    get_run_logger().info(said, plan.plan_id, plan.price.summary(), in_words(plan.forecast))
    rows_table("rollback-price", "What the old database cannot hold", plan.price.rows())
    return plan


@phase_task("rollback")
def rollback_task(
    installation: Installation, accepted: Acceptance, plan_id: str | None
) -> CutoverReport:
    """Every step from the price to the public answer."""
    return roll_back(installation, accepted, plan=plan_id)


@phase_task("blind rollback")
def blind_task(installation: Installation) -> CutoverReport:
    """Every step that needs neither Core nor AI."""
    return roll_back_blindly(installation)
