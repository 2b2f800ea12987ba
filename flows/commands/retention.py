"""The commands `backup`, `restore-legacy` and `cleanup`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import AsJson, DatabaseName
from flows.commands.output import answer, out, report, say
from flows.commands.runner import flow_named, one_step, run_phase, settings_now
from ops.backup import KEPT
from ops.errors import BadInputError, ConfigurationError, SigmaSightError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from ops.books.tombstones import Tombstone
    from ops.cleanup.plan import CleanupPlan
    from ops.settings import OperatorSettings


def backup(
    databases: Annotated[
        list[DatabaseName] | None, typer.Argument(help="Which; by default all there are.")
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="How many proved dumps of each stay.")] = KEPT,
    as_json: AsJson = False,
) -> None:
    """Dump the databases, restore each dump into a scratch database and compare."""
    names = [one.value for one in databases] if databases else None
    taken = run_phase(lambda: flow_named("backup")(names, keep))
    if as_json:
        report({"backups": taken}, "sigmasight status")
    else:
        proved = "bytes, restored and found equal"
        say(*(f"{one.database}: {one.bytes:,} {proved}: {one.path}" for one in taken))


def restore_legacy(
    file: Annotated[Path | None, typer.Argument(help="A dump, of pg_dump --format=custom.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="The demo's, instead of a dump.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the old database of a new installation, which is empty, from a dump."""
    from ops.endpoints import resolve_endpoints

    if (file is None) is not demo:
        raise BadInputError("say what is restored: a dump's file, or --demo")
    settings = settings_now()
    endpoints = resolve_endpoints(settings)
    if endpoints.legacy is None:
        raise ConfigurationError("there is no old database to restore into; declare one")
    with one_step("fill the old database"):
        filled = _filled(file, endpoints.legacy, endpoints.core, settings)
    if as_json:
        report(filled, "sigmasight assess")
    else:
        out().print(f"filled: {filled['rows']:,} rows of {filled['tables']} tables")


def _filled(
    file: Path | None, legacy: "URL", core: "URL", settings: "OperatorSettings"
) -> dict[str, int]:
    from ops.backup.restore import held, restore
    from ops.legacy_demo import build_legacy, price_history

    if file is None:
        build_legacy(legacy, price_history(settings), settings)
    else:
        restore(file, legacy, locked=_is_left(core))
    return held(legacy)


def _is_left(core: "URL") -> bool:
    """Whether users were moved from the old database to Core, or nobody can say."""
    from ops.evidence.cutovers import users_may_write_to_new

    try:
        return users_may_write_to_new(core)
    except SigmaSightError:
        return True


def cleanup(
    execute: Annotated[
        bool, typer.Option("--execute", help="Remove what the plan says; else it is only shown.")
    ] = False,
    plan_id: Annotated[
        str | None, typer.Option("--plan-id", help="The id that a dry run has printed.")
    ] = None,
    approved: Annotated[
        str | None,
        typer.Option("--approve", metavar="PLAN_ID", help="Let the schedule execute this plan."),
    ] = None,
    waiver: Annotated[
        str | None,
        typer.Option(
            "--waive-dump", help="Who does without a dump of the old database, and why; a sentence."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be removed and every condition for it; remove it with its plan id."""
    if approved is not None:
        if execute or plan_id or waiver:
            raise BadInputError("--approve is for the schedule alone; leave the other options out")
        from ops.books.cleanup_plans import approve
        from ops.endpoints import resolve_endpoints
        from ops.evidence.cutovers import refuse_removed
        from ops.settings import operator_settings

        core = resolve_endpoints(operator_settings()).core
        refuse_removed(core)
        approve(core, approved)
        out().print(f"approved: {approved}; the schedule executes it if nothing moves until then")
        return
    if execute and plan_id is None:
        raise BadInputError("say which plan: run `sigmasight cleanup`, then --plan-id its id")
    done = run_phase(lambda: flow_named("cleanup")(plan_id, execute, waiver))
    ready = f"sigmasight cleanup --execute --plan-id {done.plan_id}"
    following = ready if getattr(done, "executable", False) else "sigmasight status"
    answer(done, following, _show_cleanup, as_json=as_json)


def _show_cleanup(done: "CleanupPlan | Tombstone") -> None:
    from ops.books.tombstones import Tombstone
    from ops.cleanup.report import plan_lines, tombstone_lines

    if isinstance(done, Tombstone):
        say(f"cleanup {done.plan_id}: {done.state}", *tombstone_lines(done))
    else:
        say(*plan_lines(done))
