"""The whole plan, phase after phase."""

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import progress
from flows.artifacts import links_to_phases
from flows.assess import account_for_legacy
from flows.backfill import backfill
from flows.copy import copy
from flows.deployments import are_registered, register_deployments
from flows.heartbeat import phase_flow
from flows.migrate import migrate
from flows.prefect_server import PrefectServer
from flows.provision import provision
from flows.retrying import phase_task
from flows.run_history import only_noted
from flows.seed import seed
from flows.serve import launch_backend, serve
from flows.swap import swap
from flows.verify import verify
from ops.books.rebuilds import LastRebuild, record_rebuild
from ops.books.run_lock import exclusive_rebuild
from ops.cutover.steps import CutoverReport
from ops.endpoints import Endpoints, given_legacy, present_endpoints
from ops.evidence.cutovers import users_may_write_to_new
from ops.markdown import table
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.rehearsal.commands import rehearsing
from ops.settings import operator_settings
from ops.summary import BookCourse, Figure, book_course, plan_comparison
from ops.trading_calendar import trading_days

PHASES = ("provision", "migrate", "seed", "copy", "backfill", "serve", "verify", "swap")


@dataclass
class PhaseClock:
    """How long each phase took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, and say that it begins."""
        progress.phase(name, PHASES.index(name) + 1, len(PHASES))
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild left.

    Attributes:
        backend: where it is served; None where none is ours to serve and none is named.
    """

    figures: list[Figure]
    seconds: dict[str, float]
    picture: Path
    backend: str | None


@phase_flow("rebuild", flow_run_name="rebuild {first}..{last}")
def rebuild(first: date = FIRST_DAY, last: date = LAST_DAY, demo: bool = False) -> RebuildReport:
    """The whole plan, phase after phase. On a finished system nothing changes.

    Args:
        first: first day of the backfill.
        last: last day of it.
        demo: see `seed`.
    """
    trading_days(first, last)  # refused before anything is made
    clock = PhaseClock()
    with clock.phase("provision"):
        provision()
    endpoints = present_endpoints(operator_settings())
    with exclusive_rebuild(endpoints.core):
        with clock.phase("migrate"):
            migrate()
        _bring_data(endpoints, clock, demo)
        with clock.phase("backfill"):
            backfill(first, last)
        with clock.phase("serve"):
            backend = serve()
        with clock.phase("verify"):
            verify(first, last)
        _offer_deployments()
        with clock.phase("swap"):
            backend = _swap_demo(endpoints) or backend
        return summarise(endpoints, first, last, clock.seconds, backend)


def _bring_data(endpoints: Endpoints, clock: PhaseClock, demo: bool) -> None:
    """Seed and copy; not once users write to the new pair, which is ahead of legacy since."""
    if users_may_write_to_new(endpoints.core):
        get_run_logger().info("the swap is in force: nothing is seeded or copied any more")
        launch_backend()
        return
    if given_legacy(operator_settings()) is not None:
        account_for_legacy(endpoints)
    with clock.phase("seed"):
        seed(demo)
    launch_backend()  # it starts while the data phases go on
    with clock.phase("copy"):
        _copy_unless_absent(endpoints)


def _offer_deployments() -> None:
    """Show in the dashboard what can be started, and the one date of the cleanup, which the swap
    activates. Only on a server of our own: another is given its deployments on purpose."""
    ours = PrefectServer(operator_settings().state).ours
    if ours and not rehearsing() and not are_registered():
        register_deployments()


def _swap_demo(endpoints: Endpoints) -> str | None:
    """Swap where the old database is the demo's own; one that is given is locked at its owner's
    word only.
    The address of the backend, if it is ours."""
    settings = operator_settings()
    if not settings.backend_is_ours or endpoints.legacy is None:
        return None
    if given_legacy(settings) is not None:
        get_run_logger().warning("not swapped: the old database is a real one; `sigmasight swap`")
        return None
    report = swap()
    assert isinstance(report, CutoverReport)  # no dry run
    return report.address


def _copy_unless_absent(endpoints: Endpoints) -> None:
    if endpoints.legacy is None:
        get_run_logger().warning("no LEGACY_DATABASE_URL: market data must be in Core already")
        return
    copy("all")


@phase_task("summary")
def summarise(
    endpoints: Endpoints,
    first: date,
    last: date,
    seconds: dict[str, float],
    backend: str | None,
) -> RebuildReport:
    """Show the plan's figures beside ours, the time of each phase, and the book's course."""
    picture = operator_settings().state.root / "book.png"
    _draw(book_course(endpoints.core, first, last), picture)
    report = RebuildReport(plan_comparison(endpoints.core), seconds, picture, backend)
    for figure in report.figures:
        get_run_logger().info("%s: plan %d, ours %d", figure.table, figure.plan, figure.ours)
    rows = {figure.table: figure.ours for figure in report.figures}
    finished = LastRebuild(datetime.now(UTC), first, last, seconds, rows)
    record_rebuild(operator_settings().state, finished)
    with only_noted():
        create_markdown_artifact(_markdown(report), key="rebuild-summary", description=_SUMMARY)
    return report


def _draw(course: BookCourse, picture: Path) -> None:
    if picture.exists() and course.digest.encode() in picture.read_bytes():
        return
    # Only here, because drawing takes a second to import that no other run should pay.
    from flows.plots import plot_course

    plot_course(course, picture)


_SUMMARY = "The plan's figures beside ours, the time of each phase, and the book's course"


def _markdown(report: RebuildReport) -> str:
    picture = b64encode(report.picture.read_bytes()).decode()
    figures = (
        (f.table, f"{f.plan:,}", f"{f.ours:,}", "yes" if f.equal else "no") for f in report.figures
    )
    links = links_to_phases()
    phases = (
        (f"[{name}]({links[name]})" if name in links else name, f"{seconds:.1f}")
        for name, seconds in report.seconds.items()
    )
    lines = table(("table", "plan:", "ours:", "equal"), figures)
    lines += ["", *table(("phase", "seconds:"), phases)]
    lines += ["", f"![equity and exposures of the book](data:image/png;base64,{picture})"]
    return "\n".join(lines)
