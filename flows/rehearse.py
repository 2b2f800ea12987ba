"""The whole move on throw-away instances, measured before it is done for real."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from prefect import get_client, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort

from flows.crashed_runs import MOST_RUNS, REHEARSAL
from flows.heartbeat import PROCESS, phase_flow
from flows.prefect_server import PrefectServer
from ops.books.rehearsals import last_rehearsal
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.rehearsal.commands import RanCommand
from ops.rehearsal.report import Rehearsal, markdown
from ops.rehearsal.run import RehearsalRequest
from ops.rehearsal.run import rehearse as rehearse_move
from ops.settings import operator_settings


@phase_flow("rehearse", flow_run_name="rehearse {first}..{last}")
def rehearse(
    first: date = FIRST_DAY,
    last: date = LAST_DAY,
    keep: bool = False,
    report: Path | None = None,
) -> Rehearsal:
    """Carry the whole move out on throw-away instances, with a rollback and a second swap, and
    measure every step. A real old database is only read. Nothing is left behind but the report.

    Args:
        first: first day of the backfill.
        last: last day of it.
        keep: leave the instances as they are; the next rehearsal removes them.
        report: file of the report, by default rehearsal.md in the state folder.
    """
    settings, log = operator_settings(), get_run_logger()
    path = report or settings.state.root / "rehearsal.md"
    with _told_when_interrupted():
        done = rehearse_move(
            settings,
            RehearsalRequest(first, last, keep),
            path,
            lambda step: log.info("begins: %s", step),
        )
    done = replace(done, links=_links(done.commands))
    text = markdown(done)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    create_markdown_artifact(text, key="rehearsal-report", description="The rehearsal, measured")
    for cutover in done.evidence.cutovers:
        log.info("%s: requests held for %.3f s", cutover.kind, cutover.held_seconds or 0.0)
    log.info("rehearsed in %.0f s; report: %s", done.seconds, path)
    return done


@contextmanager
def _told_when_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        last = last_rehearsal(operator_settings().state)
        if last is not None and last.failed_in is not None:
            get_run_logger().warning(
                "the rehearsal was interrupted in '%s'; its log: %s", last.failed_in, last.log
            )
        raise


def _links(commands: Iterable[RanCommand]) -> dict[str, str]:
    """Where the run of each command is seen in the dashboard."""
    dashboard = PrefectServer(operator_settings().state).dashboard
    asked = FlowRunFilter(tags=FlowRunFilterTags(all_=[REHEARSAL]))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=asked, sort=FlowRunSort.START_TIME_DESC, limit=MOST_RUNS
        )
    first = {str(run.labels.get(PROCESS)): run.id for run in runs}  # the oldest of each stays
    return {
        command.name: f"{dashboard}/runs/flow-run/{first[command.process]}"
        for command in commands
        if command.process in first
    }
