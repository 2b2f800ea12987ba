"""The old database kept current after a swap, so that a rollback is short."""

from prefect import State, get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed

from flows.artifacts import rows_table
from flows.cutover import current_installation
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.cutovers import Cutover
from ops.books.run_lock import exclusive_run
from ops.cleanup.dates import cleanup_moment
from ops.cutover.follow import NOTHING, FollowReport, swap_to_follow
from ops.cutover.follow import follow as carry_ahead
from ops.cutover.installation import MAX_HOLD_SECONDS, STREAM_SECONDS, Installation
from ops.endpoints import resolve_endpoints
from ops.errors import RefusedError
from ops.settings import operator_settings


@phase_flow(
    "follow",
    flow_run_name=lambda: "follow (the last)" if flow_run.parameters.get("end") else "follow",
)
def follow(end: bool = False) -> FollowReport | State[None]:
    """Carry what users wrote since the swap into the old database, while they work.

    Args:
        end: this is the last time until the next swap; by itself that is eight days before the
            cleanup.
    """
    core = resolve_endpoints(operator_settings()).core
    with exclusive_run(core) as fence:
        swap = swap_to_follow(core)
        if swap is None:
            return _nothing()
        installation = current_installation(fence, STREAM_SECONDS, MAX_HOLD_SECONDS)
        report = follow_task(installation, swap, end)
    _tell(report)
    return report


@phase_task("follow")
def follow_task(installation: Installation, swap: Cutover, end: bool) -> FollowReport:
    """One access of ours to the old database, from the counters before to those after."""
    assert swap.ended_at is not None  # it is done
    due = cleanup_moment(swap.ended_at, installation.settings.CLEANUP_DATE)
    return carry_ahead(installation, swap, due, end=end)


def _nothing() -> State[None]:
    """A person is told so; a schedule that is active before the swap does no harm."""
    if deployment.id is None:
        raise RefusedError(NOTHING)
    get_run_logger().info("%s", NOTHING)
    return Completed(name="nothing to follow", message=NOTHING)


def _tell(report: FollowReport) -> None:
    for line in report.lines():
        get_run_logger().info("%s", line)
    if report.warning and report.price:
        get_run_logger().warning("%s", report.warning)
        rows_table("follow-left", "Rows that the old database cannot hold", report.price.rows())
