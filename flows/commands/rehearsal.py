"""`sigmasight rehearse`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import (
    FIRST_DAY,
    LAST_DAY,
    Accept,
    AsJson,
    First,
    Last,
    Prices,
    output_file,
)
from flows.commands.output import answer, say
from flows.commands.prices import give_prices
from flows.commands.runner import flow_named, run_phase

if TYPE_CHECKING:
    from ops.rehearsal.report import Rehearsal


def rehearse(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the instances until the next rehearsal.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report as Markdown.")
    ] = None,
    prices: Prices = None,
    accept: Accept = None,
    first: First = FIRST_DAY,
    last: Last = LAST_DAY,
    as_json: AsJson = False,
) -> None:
    """The whole move with a rollback and a second swap, on throw-away instances, measured."""
    path = output_file("--report", report)
    # The databases of the real move are not needed; stopped ones stay stopped.
    done = run_phase(
        lambda: flow_named("rehearse")(first, last, keep, path),
        judge=lambda: give_prices(prices, accept),
        start_databases=False,
        makes_databases=True,
        days=(first, last),
    )
    answer(done, "sigmasight swap --dry-run", _show, as_json=as_json)


def _show(done: "Rehearsal") -> None:
    from ops.rehearsal.report import markdown

    say(markdown(done))
