"""What the flows of swap and rollback share: the installation, and what they leave to see."""

import platform
from collections.abc import Sequence
from typing import cast

import psutil
from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import deployment, flow_run

from flows.backend import start_backend
from flows.heartbeat import rename_run
from flows.hold import HoldWatch, hold_lines
from flows.run_history import only_noted
from infra.gate import follow, switch_for
from ops.backend.serving import keep_swapped, served_before
from ops.backend.supervised import SupervisedBackend
from ops.books.copies import last_fingerprints
from ops.books.cutovers import Kind, known_cutovers
from ops.books.run_lock import Fence
from ops.books.session import open_books
from ops.connection import shown_address
from ops.cutover.gate_switch import GateSwitch
from ops.cutover.installation import Installation
from ops.cutover.steps import CutoverReport
from ops.endpoints import resolve_endpoints
from ops.markdown import table
from ops.settings import OperatorSettings, operator_settings


def cutover_name(kind: str, where: str) -> str:
    """What a run is called: a dry run changes nothing, and its name says so."""
    return f"{kind} (dry run)" if flow_run.parameters.get("dry_run") else f"{kind} {where}"


def current_installation(fence: Fence, stream_seconds: float, max_hold: float) -> Installation:
    """The installation of this state folder, whose steps are logged as they end."""
    settings, log = operator_settings(), get_run_logger()
    return Installation(
        settings,
        resolve_endpoints(settings),
        current_switch(settings),
        fence,
        HoldWatch(lambda step, seconds: log.info("%s: %.3f s", step, seconds)),
        stream_seconds,
        max_hold,
    )


def current_switch(settings: OperatorSettings) -> GateSwitch:
    """How the active pair is changed here.

    Raises:
        ConfigurationError: see `infra.gate.switch_for`.
    """
    if not settings.backend_is_ours:
        return switch_for(settings)
    keep_swapped(settings)
    endpoints, backend = resolve_endpoints(settings), SupervisedBackend(settings.state)

    def start() -> None:
        """One that serves is left as it is, whatever else this process would tell it."""
        if not (backend.kept and backend.ready()):
            start_backend(settings).wait()

    return GateSwitch(
        endpoints.core,
        endpoints.legacy,
        served_before(settings, endpoints),
        backend.address,
        start,
    )


def tell(
    report: CutoverReport, kind: Kind, installation: Installation, *, recorded: bool = True
) -> None:
    """Log and keep what a swap or rollback did, and let a declared stack follow.

    Args:
        recorded: whether Core can be asked for what it remembers of it.
    """
    log = get_run_logger()
    if report.recovered:
        log.warning("%s", report.recovered)
    follow(installation.settings, report.active, lambda line: log.info("%s", line))
    for line in report.lines():
        log.info("%s", line)
    if not report.changed:
        rename_run(f"{kind}: already active")
        return
    facts = _recorded(kind, installation) if recorded else []
    with only_noted():
        create_markdown_artifact(
            _what_changed(report, facts, _what_users_saw(installation)),
            key=f"{kind}-what-changed",
            description=f"What changed by the {kind}: who, when, how long, proofs, rows, requests",
        )


def _what_users_saw(installation: Installation) -> list[str]:
    settings, watch = installation.settings, installation.announce
    own = SupervisedBackend(settings.state).log if settings.backend_is_ours else None
    return hold_lines(settings.BACKEND_LOG or own, cast(HoldWatch, watch))


def _what_changed(report: CutoverReport, facts: Sequence[str], seen: Sequence[str]) -> str:
    by = "the dashboard or a schedule" if deployment.id else "a command"
    who = f"who: {psutil.Process().username()} on {platform.node()}, by {by}"
    lines = [f"- {line}" for line in (*report.lines(), who)]
    steps = ((step, f"{seconds:.3f}") for step, seconds in report.seconds.items())
    return "\n".join([*lines, *facts, "", *table(("step", "seconds:"), steps), "", *seen])


def _recorded(kind: Kind, installation: Installation) -> list[str]:
    """What Core remembers of the last one; nothing where none was ever done, only undone."""
    with open_books(installation.core) as session:
        done = [one for one in known_cutovers(session) if (one.kind, one.state) == (kind, "done")]
        copied = last_fingerprints(session) if kind == "swap" else {}
    if not done:
        return []
    one = done[0]
    lines = [
        f"- when: {one.begun_at:%Y-%m-%d %H:%M:%S} to {one.ended_at:%H:%M:%S} UTC",
        f"- plan: {one.plan_id}",
        f"- old database: {shown_address(installation.legacy)}",
        *(f"- proof: {proof}" for proof in _PROOFS[kind]),
    ]
    if copied:
        rows = ((name, f"{one.accepted_rows:,}") for name, one in copied.items())
        lines += ["", *table(("table", "rows copied:"), rows)]
    return lines


# Any that had failed would have undone the change.
_PROOFS = {
    "swap": (
        "while requests waited, every row of the tables below was found equal on both sides",
        "writing to the old database was tried from another session, and refused",
        "the public address answered from the new pair",
    ),
    "rollback": (
        "the price was counted again while requests waited",
        "the public address answered from the old pair",
    ),
}
