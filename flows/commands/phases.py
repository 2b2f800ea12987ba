"""The commands of one phase each, and `rebuild`, which is all of them."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import (
    FIRST_DAY,
    LAST_DAY,
    Accept,
    AsJson,
    Demo,
    First,
    Group,
    Last,
    MaybeFirst,
    MaybeLast,
    Prices,
)
from flows.commands.output import answer, out, report, say
from flows.commands.prices import give_prices
from flows.commands.runner import flow_named, one_step, run_phase, settings_now
from ops.backfill import Engine, Mode
from ops.errors import BadInputError

if TYPE_CHECKING:
    from flows.rebuild import RebuildReport
    from ops.backfill.batch import BlockReport
    from ops.drift.difference import Difference
    from ops.verify.report import VerifyReport


def migrate() -> None:
    """Bring Core and AI to the heads of their migration chains."""
    run_phase(lambda: flow_named("migrate")())


def seed(demo: Demo = False) -> None:
    """Seed reference data and knowledge base; the demo's book where that is moved. Idempotent."""
    run_phase(lambda: flow_named("seed")(demo))


def copy(
    group: Annotated[Group, typer.Option(help="Which tables.")] = "market",
    accept_legacy: Annotated[
        bool, typer.Option(help="Another old database than before, if it holds what was copied.")
    ] = False,
    accept_deleted: Annotated[
        int, typer.Option(min=0, help="That one may lack this many rows that were copied.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Copy data from the old database to Core and AI. Repeatable."""
    if accept_deleted and not accept_legacy:
        raise BadInputError("--accept-deleted is for another old database; add --accept-legacy")
    tables = run_phase(lambda: flow_named("copy")(group, accept_legacy, accept_deleted))
    if as_json:
        report({"tables": tables}, "sigmasight backfill")
    else:
        accepted = sum(table.accepted for table in tables)
        rejected = sum(table.rejected_rows for table in tables)
        say(f"{len(tables)} tables: {accepted:,} rows accepted, {rejected:,} rejected")


def backfill(
    first: First = FIRST_DAY,
    last: Last = LAST_DAY,
    mode: Annotated[Mode, typer.Option(help="Which days of these.")] = "missing",
    engine: Annotated[Engine, typer.Option(help="Who computes: threads here, or Dask.")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Dask's, as tcp://HOST:8786, instead of processes here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute and write the analytics of a range of trading days."""

    def judge() -> None:
        from ops.backfill.dask_engine import require_engine

        require_engine(engine, scheduler)

    done = run_phase(
        lambda: flow_named("backfill")(first, last, mode, engine=engine, scheduler=scheduler),
        judge=judge,
        days=(first, last),
    )
    answer(done, "sigmasight verify", _show_backfill, as_json=as_json)


def _show_backfill(done: "BlockReport") -> None:
    days, rows = done.portfolio_days, sum(done.rows.values())
    say(f"{days:,} portfolio days computed, {rows:,} rows written")


def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT")] = 8000,
) -> None:
    """Migrate both databases, then serve the backend here until it is stopped."""
    from flows.backend import serve_here

    serve_here(host, port)


def verify(first: MaybeFirst = None, last: MaybeLast = None, as_json: AsJson = False) -> None:
    """Check both databases, and the backend over HTTP; exits non-zero when a check fails. Without
    days it is about those that were computed."""
    days = (first, last) if first and last else None
    found = run_phase(lambda: flow_named("verify")(first, last), days=days)
    answer(found, "sigmasight swap --dry-run", _show_verification, as_json=as_json)


def _show_verification(found: "VerifyReport") -> None:
    passed = [one for one in found.results if one.outcome == "pass"]
    others = [one for one in found.results if one.outcome != "pass"]
    say(*(f"{one.outcome}: {one.name} ({one.detail})" for one in others))
    say(f"{len(passed)} checks passed, 0 failed, {len(others)} skipped")


def rebuild(
    prices: Prices = None,
    accept: Accept = None,
    first: First = FIRST_DAY,
    last: Last = LAST_DAY,
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """The whole plan: provision, migrate, seed, copy, backfill, serve, verify, swap."""
    done: RebuildReport = run_phase(
        lambda: flow_named("rebuild")(first, last, demo),
        judge=lambda: give_prices(prices, accept),
        makes_databases=True,
        days=(first, last),
    )
    answer(done, "sigmasight status", _show_rebuild, as_json=as_json)


def drift(as_json: AsJson = False) -> None:
    """Compare both live databases with what their migration chains build."""
    with one_step("read both catalogues"):
        found = _drift()

    from ops.drift.refusal import refuse_drift

    say(*(f"{one.severity}: {one.message}" for one in (() if as_json else found)))
    refuse_drift(found)
    if as_json:
        report({"differences": found}, "sigmasight seed")
    elif not found:
        out().print("no drift")


def _drift() -> "list[Difference]":
    from ops.drift import drift_of_pair
    from ops.endpoints import resolve_endpoints

    endpoints = resolve_endpoints(settings_now())
    return drift_of_pair(endpoints.core, endpoints.ai)


def _show_rebuild(done: "RebuildReport") -> None:
    from rich.table import Table

    from flows.prefect_server import PrefectServer
    from ops.settings import operator_settings

    counts = Table("table", box=None)
    for heading in ("plan", "ours"):
        counts.add_column(heading, justify="right")
    counts.add_column("equal")
    for figure in done.figures:
        equal = "yes" if figure.equal else "no"
        counts.add_row(figure.table, f"{figure.plan:,}", f"{figure.ours:,}", equal)
    out().print(counts)
    times = ", ".join(f"{name} {seconds:.1f}" for name, seconds in done.seconds.items())
    history = PrefectServer(operator_settings().state).dashboard
    say(f"\nseconds: {times}", f"picture: {done.picture}", f"run history: {history}")
    if done.backend is not None:
        say(f"backend: {done.backend}")
    here = sys.argv[0]
    say(f'next: {here} status, or psql "$({here} dsn core)"')
