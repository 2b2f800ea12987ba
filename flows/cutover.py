"""What the flows of swap and rollback share: the installation, and what they leave to see."""

from collections.abc import Mapping, Sequence

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.heartbeat import rename_run
from flows.prefect_server import PrefectServer
from infra.gate import follow, switch_for
from ops.books.run_lock import Fence
from ops.cutover.embedded_switch import EmbeddedSwitch
from ops.cutover.installation import Installation
from ops.cutover.steps import CutoverReport
from ops.endpoints import resolve_endpoints
from ops.settings import operator_settings


def cutover_name(kind: str, where: str) -> str:
    """What a run is called: a dry run changes nothing, and its name says so."""
    return f"{kind} (dry run)" if flow_run.parameters.get("dry_run") else f"{kind} {where}"


def current_installation(fence: Fence, stream_seconds: float, max_hold: float) -> Installation:
    """The installation of this state folder, whose steps are logged as they end."""
    settings, log = operator_settings(), get_run_logger()
    server = PrefectServer(settings.state)
    switch = switch_for(settings, lambda line: log.info("%s", line)) or EmbeddedSwitch(
        settings, server.api_url if server.answers() else None
    )
    return Installation(
        settings,
        resolve_endpoints(settings),
        switch,
        fence,
        lambda step, seconds: log.info("%s: %.3f s", step, seconds),
        stream_seconds,
        max_hold,
    )


def tell(report: CutoverReport, kind: str, installation: Installation) -> None:
    """Log and keep what a swap or rollback did, and let a declared stack follow."""
    log = get_run_logger()
    if report.recovered:
        log.warning("%s", report.recovered)
    follow(installation.settings, report.active, lambda line: log.info("%s", line))
    if not report.changed:
        rename_run(f"{kind}: already active")
        log.info("the %s pair is active already, at %s", report.active, report.address)
        return
    log.info(
        "the %s pair is active at %s; requests waited for %.2f s",
        report.active,
        report.address,
        report.held_seconds,
    )
    create_markdown_artifact(
        _markdown(report), key=f"{kind}-report", description=f"The {kind} and its steps"
    )


def _markdown(report: CutoverReport) -> str:
    lines = [
        f"The **{report.active}** pair is active at {report.address}.",
        f"Requests waited for **{report.held_seconds:.2f} s**.",
        "",
        *step_table(report.seconds),
    ]
    if report.lost:
        kept = f", kept in `{report.export}`" if report.export else ""
        lines += ["", f"{report.lost} rows of users are only in the new pair{kept}."]
    return "\n".join(lines)


def step_table(seconds: Mapping[str, float]) -> Sequence[str]:
    """Lines of a Markdown table of steps."""
    rows = [f"| {step} | {taken:.3f} |" for step, taken in seconds.items()]
    return ["| step | seconds |", "|---|---:|", *rows]
