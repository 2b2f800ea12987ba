"""`sigmasight rehearse`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.prices import Accept, Prices, give_prices
from flows.commands.runner import flow_named, out, run_phase
from ops.plan_figures import FIRST_DAY, LAST_DAY

if TYPE_CHECKING:
    from ops.rehearsal.report import Rehearsal

First = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")]
Last = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day.")]
_FIRST = datetime.combine(FIRST_DAY, datetime.min.time())
_LAST = datetime.combine(LAST_DAY, datetime.min.time())


def rehearse(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the instances until the next rehearsal.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the report as Markdown.")
    ] = None,
    prices: Prices = None,
    accept: Accept = None,
    first: First = _FIRST,
    last: Last = _LAST,
) -> None:
    """The whole move with a rollback and a second swap, on throw-away instances, measured."""
    from ops.trading_calendar import trading_days

    trading_days(first.date(), last.date())
    give_prices(prices, accept)
    path = report.absolute() if report else None
    # The databases of the real move are not needed; stopped ones stay stopped.
    done = run_phase(
        lambda: flow_named("rehearse")(first.date(), last.date(), keep, path),
        start_databases=False,
    )
    _show(done)


def _show(done: "Rehearsal") -> None:
    from ops.rehearsal.report import markdown

    out.print(markdown(done), markup=False, highlight=False, soft_wrap=True)
