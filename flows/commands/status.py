"""`sigmasight status`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import AsJson
from flows.commands.output import out, say
from flows.commands.runner import one_step, settings_now

if TYPE_CHECKING:
    from ops.status import ChecklistLine


def status(
    as_json: AsJson = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that all together may take to answer.")
    ] = 1.2,
) -> None:
    """The plan's checklist, phase by phase, with live evidence, what is stale and what is next."""
    with one_step("ask everything at once"):
        from flows.prefect_server import PrefectServer
        from ops.status import checklist, checklist_json

        settings = settings_now()
        lines = checklist(settings, PrefectServer(settings.state).api_url, timeout)
    if as_json:
        out().print_json(checklist_json(lines))
        return
    _show(lines)


def _show(lines: "Sequence[ChecklistLine]") -> None:
    from rich.table import Table

    from ops.status import next_step

    table = Table("#", "phase", "state", "evidence", "age", box=None)
    for line in lines:
        evidence = f"{line.evidence}\nSTALE: {line.stale}" if line.stale else line.evidence
        table.add_row(line.number, line.phase, line.state, evidence, line.age or "")
    out().print(table, markup=False)
    step = next_step(lines)
    say(f"\nnext: {step}" if step else "\nnothing to do")
