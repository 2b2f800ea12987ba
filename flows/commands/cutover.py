"""`sigmasight swap`, `sigmasight rollback` and `sigmasight follow`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import AsJson, output_file
from flows.commands.output import answer, out, say
from flows.commands.runner import flow_named, run_phase

if TYPE_CHECKING:
    from ops.cutover.rollback import RollbackPlan
    from ops.cutover.steps import CutoverReport
    from ops.cutover.swap import SwapPlan

AcceptLoss = Annotated[int, typer.Option(min=0, help="Give up at most this many rows.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show the steps, the price and a plan id.")
]
PlanId = Annotated[
    str | None, typer.Option("--plan-id", help="Refuse unless this is still the plan.")
]
StreamSeconds = Annotated[
    float, typer.Option(min=0, max=60, help="What a chat's answer under way is given.")
]

MaxHold = Annotated[
    float,
    typer.Option("--max-hold", min=0.5, max=600, help="For how many seconds users may wait."),
]


def swap(
    accept_loss: AcceptLoss = 0,
    dry_run: DryRun = False,
    plan_id: PlanId = None,
    stream_seconds: StreamSeconds = 5.0,
    max_hold: MaxHold = 5.0,
    accept_one_way: Annotated[
        bool, typer.Option("--accept-one-way", help="Rows need not be able to come back.")
    ] = False,
    accept_unlocked: Annotated[
        bool, typer.Option("--accept-unlocked", help="What no lock reaches may be written to.")
    ] = False,
    accept_unknown: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-unknown",
            metavar="SCHEMA.TABLE",
            help="Leave a table behind that nothing of ours knows, whatever it holds.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve from Core and AI instead of the old database; no request is lost."""

    def judge() -> None:
        from ops.cutover.plan import refuse_planned_look

        refuse_planned_look(dry_run, plan_id)

    done = run_phase(
        lambda: flow_named("swap")(
            accept_loss,
            dry_run,
            plan_id,
            stream_seconds,
            max_hold,
            accept_one_way,
            accept_unlocked,
            accept_unknown,
        ),
        judge=judge,
    )
    show = _show_swap_plan if hasattr(done, "price") else _show_report
    answer(done, _after("swap", done), show, as_json=as_json)


def rollback(
    accept_loss: AcceptLoss = 0,
    export: Annotated[
        Path | None, typer.Option(help="Write what the old database cannot hold to this file.")
    ] = None,
    dry_run: DryRun = False,
    plan_id: PlanId = None,
    stream_seconds: StreamSeconds = 5.0,
    max_hold: MaxHold = 5.0,
    blind: Annotated[
        bool, typer.Option("--blind", help="Only where Core or AI is lost: without any price.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Serve from the old database again, with what users wrote since the swap."""
    file = output_file("--export", export)

    def judge() -> None:
        from ops.cutover.blind import refuse_priced
        from ops.cutover.plan import refuse_planned_look

        refuse_priced(blind, accept_loss, file, dry_run, plan_id)
        refuse_planned_look(dry_run, plan_id)

    done = run_phase(
        lambda: flow_named("rollback")(
            accept_loss, file, dry_run, plan_id, stream_seconds, blind, max_hold
        ),
        judge=judge,
        start_databases=not blind,
    )
    show = _show_rollback_plan if dry_run else _show_report
    answer(done, _after("rollback", done), show, as_json=as_json)


def follow(
    end: Annotated[
        bool, typer.Option("--end", help="This is the last time until the next swap.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry what users wrote since the swap into the old database, while they work."""
    done = run_phase(lambda: flow_named("follow")(end))
    answer(done, "sigmasight status", lambda found: say(*found.lines()), as_json=as_json)


def _after(kind: str, done: "CutoverReport | SwapPlan | RollbackPlan") -> str:
    """The command that comes next: the planned one, unless it would be refused as it stands."""
    plan_id, price = getattr(done, "plan_id", None), getattr(done, "price", None)
    unmet = [one for one in getattr(done, "conditions", ()) if not one.met]
    if plan_id is None or unmet or (price is not None and price.total):
        return "sigmasight status"
    return f"sigmasight {kind} --plan-id {plan_id}"


def _show_report(done: "CutoverReport") -> None:
    if done.recovered:
        say(done.recovered)
    for step, seconds in (done.seconds if done.changed else {}).items():
        say(f"{step:<24} {seconds:7.3f} s")
    say(*done.lines())


def _show_swap_plan(plan: "SwapPlan") -> None:
    from ops.cutover.forecast import in_words
    from ops.cutover.plan import SWAP_STEPS

    say(*(condition.line() for condition in plan.conditions))
    _show_price("rows only in the old database", plan.price.by_table)
    if plan.price.total:
        say(f"refused as it stands: {plan.price.advice()}")
    say(f"copied again first: {', '.join(plan.groups) or 'nothing'}", in_words(plan.forecast))
    _show_steps(SWAP_STEPS)
    say(f"plan id: {plan.plan_id}")


def _show_rollback_plan(plan: "RollbackPlan") -> None:
    from ops.cutover.forecast import in_words
    from ops.cutover.plan import ROLLBACK_STEPS

    say(*plan.price.lines(), in_words(plan.forecast))
    _show_steps(ROLLBACK_STEPS)
    say(f"plan id: {plan.plan_id}")


def _show_price(heading: str, by_table: "dict[str, int]") -> None:
    from rich.table import Table

    table = Table("table", heading, box=None)
    for name, rows in by_table.items():
        if rows:
            table.add_row(name, f"{rows:,}")
    out().print(table if table.row_count else f"{heading}: none")


def _show_steps(steps: tuple[str, ...]) -> None:
    say(*(f"{number:>2}. {step}" for number, step in enumerate(steps, 1)))
