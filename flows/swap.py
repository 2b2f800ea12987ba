"""Phase 9: the active pair changes from the old database to Core and AI."""

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.cleanup_schedule import activate_cleanup_schedule
from flows.cutover import current_installation, cutover_name, tell
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.run_lock import exclusive_run
from ops.cutover.blind import refuse_unsettled
from ops.cutover.forecast import in_words
from ops.cutover.installation import MAX_HOLD_SECONDS, STREAM_SECONDS, Installation
from ops.cutover.plan import SWAP_STEPS, refuse_planned_look
from ops.cutover.preflight import SwapAcceptance
from ops.cutover.steps import CutoverReport
from ops.cutover.swap import SwapPlan, plan_swap
from ops.cutover.swap import swap as swap_pair
from ops.endpoints import resolve_endpoints
from ops.evidence.cutovers import swap_in_force
from ops.markdown import table
from ops.settings import operator_settings


@phase_flow("swap", flow_run_name=lambda: cutover_name("swap", "to Core and AI"))
def swap(
    accept_loss: int = 0,
    dry_run: bool = False,
    plan_id: str | None = None,
    stream_seconds: float = STREAM_SECONDS,
    max_hold: float = MAX_HOLD_SECONDS,
    accept_one_way: bool = False,
    accept_unlocked: bool = False,
    accept_unknown: list[str] | None = None,
) -> CutoverReport | SwapPlan:
    """Serve from Core and AI instead of the old database, which is locked against writes. On the
    embedded target no request is lost.

    Args:
        accept_loss: how many rows of the old database the new pair may lack.
        dry_run: only show what would be done, under an id.
        plan_id: refuse unless this is still what a dry run would print.
        stream_seconds: how long a chat's answer that is under way may go on.
        max_hold: for how many seconds users may wait; a swap that takes longer is none.
        accept_one_way: whether rows may be unable to come back by a rollback.
        accept_unlocked: whether the old database may be written to afterwards beyond its lock.
        accept_unknown: tables that nothing of ours knows and that may stay in the old database, by
            schema and name, however many rows they have.
    """
    refuse_planned_look(dry_run, plan_id)
    accepted = SwapAcceptance(
        accept_loss, accept_one_way, accept_unlocked, tuple(accept_unknown or ())
    )
    core = resolve_endpoints(operator_settings()).core
    with exclusive_run(core) as fence:
        installation = current_installation(fence, stream_seconds, max_hold)
        if dry_run:
            return _nothing_to_plan(installation) or plan_task(installation, accepted)
        report = swap_task(installation, accepted, plan_id)
        tell(report, "swap", installation)
    if report.ended_at is not None:
        activate_cleanup_schedule(report.ended_at)
    return report


def _nothing_to_plan(installation: Installation) -> CutoverReport | None:
    """What a swap would find done already; the old database, which is locked, cannot be tried."""
    refuse_unsettled(installation)
    last = swap_in_force(installation.core)
    if last is None or installation.switch.active() == "old":
        return None
    address, held = installation.switch.public_address(), last.held_seconds or 0.0
    report = CutoverReport("new", False, address, held, last.timings)
    tell(report, "swap", installation)
    return report


@phase_task("plan")
def plan_task(installation: Installation, accepted: SwapAcceptance) -> SwapPlan:
    """Look at every condition, and at the price."""
    plan = plan_swap(installation, accepted.unknown)
    for condition in plan.conditions:
        get_run_logger().info("%s", condition.line())
    get_run_logger().info(
        "plan %s: %d rows only in the old database", plan.plan_id, plan.price.total
    )
    create_markdown_artifact(_markdown(plan), key="swap-plan", description="What a swap would do")
    return plan


@phase_task("swap")
def swap_task(
    installation: Installation, accepted: SwapAcceptance, plan_id: str | None
) -> CutoverReport:
    """Every step from the first delta to the public answer."""
    return swap_pair(installation, accepted, plan=plan_id)


def _markdown(plan: SwapPlan) -> str:
    rows = ((name, count) for name, count in plan.price.by_table.items() if count)
    lines = [
        f"Plan `{plan.plan_id}`: {in_words(plan.forecast)}",
        "",
        *table(("condition", "", "why"), (found.words() for found in plan.conditions)),
        "",
        *table(("table", "rows only in the old database:"), rows),
        "",
        *(f"{number}. {step}" for number, step in enumerate(SWAP_STEPS, 1)),
    ]
    return "\n".join(lines)
