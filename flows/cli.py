"""The `sigmasight` command: one sub-command per phase."""

import sys
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from rich.table import Table

from flows.commands.assess import assess
from flows.commands.cutover import rollback, swap
from flows.commands.dashboard import dashboard
from flows.commands.losses import import_file
from flows.commands.prices import Accept, Prices, give_prices, prices
from flows.commands.rehearsal import rehearse
from flows.commands.retention import backup, cleanup
from flows.commands.runner import err, flow_named, out, run_phase
from flows.commands.status import status
from ops.connection import conninfo
from ops.embedded.databases import EmbeddedDatabases
from ops.embedded.server import LOOPBACK
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError, SigmaSightError
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.settings import operator_settings

app = typer.Typer(
    help="Moves SigmaSight's database to two: Core and AI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_INTERRUPTED = 130  # what Typer returns after Ctrl-C


class Which(StrEnum):
    """A database of a move."""

    core = "core"
    ai = "ai"
    legacy = "legacy"


class TargetName(StrEnum):
    """Whose servers a declared stack runs on."""

    embedded = "embedded"
    docker = "docker"
    external = "external"


Demo = Annotated[
    bool, typer.Option("--demo", help="Add the demo's users to those of another old database.")
]
First = Annotated[datetime, typer.Option("--first", formats=["%Y-%m-%d"], help="First day.")]
Last = Annotated[datetime, typer.Option("--last", formats=["%Y-%m-%d"], help="Last day.")]
_FIRST = datetime.combine(FIRST_DAY, datetime.min.time())
_LAST = datetime.combine(LAST_DAY, datetime.min.time())


def main() -> None:
    """Run the command line: a failure is one line that says what to do, and a non-zero exit."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        _refuse_words(error)
    except SigmaSightError as error:
        _fail(str(error))
    except psycopg.Error as error:
        _fail(f"the database refused: {str(error).splitlines()[0]}")
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}; correct that first")
    if code == _INTERRUPTED:
        _fail("interrupted; run the same command again to go on", code)
    sys.exit(code)


def _refuse_words(error: typer.TyperException) -> NoReturn:
    """The command line itself is wrong. Without any words, the help has been shown already."""
    line = " ".join(error.format_message().split()).replace("Value error, ", "")
    if line:
        _fail(f"{line.removesuffix('.')}; see `sigmasight --help`", error.exit_code)
    sys.exit(error.exit_code)


def _fail(line: str, code: int = 1) -> NoReturn:
    err.print(f"error: {line}", markup=False, highlight=False)
    sys.exit(code)


@app.command()
def up(
    prices: Prices = None,
    accept: Accept = None,
    target: Annotated[
        TargetName | None, typer.Option(help="Have Pulumi bring the declared stack up.")
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only show what Pulumi would change.")
    ] = False,
) -> None:
    """Make or start the embedded databases, and the demo's old database; or a declared stack."""
    wanted = target.value if target else None
    mode = "preview" if preview else "up"
    give_prices(prices, accept)
    run_phase(lambda: flow_named("provision")(wanted, mode), start_databases=not preview)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context) -> None:
    """Run Pulumi's command line on the stack that `up --target` made: config, stack, destroy …"""
    from infra.automation import run_cli

    settings = operator_settings()
    sys.exit(run_cli(settings.state, settings.SIGMASIGHT_STACK, context.args))


@app.command()
def down() -> None:
    """Stop worker, backend, embedded databases and Prefect server; all data stays."""
    from flows.prefect_server import PrefectServer
    from flows.worker import Worker
    from ops.backend.supervised import SupervisedBackend

    state = operator_settings().state
    if not state.root.exists():
        out.print("nothing runs here")
        return
    stopped = ["worker"] if Worker(state).stop() else []
    stopped += ["backend"] if SupervisedBackend(state).stop() else []
    stopped += EmbeddedDatabases(state).down()
    if PrefectServer(state).stop():
        stopped.append("prefect")
    out.print(f"stopped: {', '.join(stopped) or 'nothing ran'}")


@app.command()
def migrate() -> None:
    """Bring Core and AI to the heads of their migration chains."""
    run_phase(lambda: flow_named("migrate")())


@app.command()
def seed(demo: Demo = False) -> None:
    """Seed reference data and knowledge base; the demo's book where that is moved. Idempotent."""
    run_phase(lambda: flow_named("seed")(demo))


@app.command()
def copy(
    group: Annotated[str, typer.Option(help="market, users, chat, ai or all.")] = "market",
    accept_legacy: Annotated[
        bool, typer.Option(help="Another old database than before, if it holds what was copied.")
    ] = False,
) -> None:
    """Copy data from the old database to Core and AI. Repeatable."""
    run_phase(lambda: flow_named("copy")(group, accept_legacy))


@app.command()
def backfill(
    first: First = _FIRST,
    last: Last = _LAST,
    mode: Annotated[str, typer.Option(help="missing, failed or all.")] = "missing",
) -> None:
    """Compute and write the analytics of a range of trading days."""
    from ops.backfill.planning import BackfillRequest

    request = BackfillRequest(first.date(), last.date(), mode)  # type: ignore[arg-type]
    run_phase(lambda: flow_named("backfill")(request.first, request.last, request.mode))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT")] = 8000,
) -> None:
    """Migrate both databases, then serve the backend here until it is stopped."""
    from flows.backend import serve_here

    serve_here(host, port)


@app.command()
def verify(first: First = _FIRST, last: Last = _LAST) -> None:
    """Check both databases, and the backend over HTTP; exits non-zero when a check fails."""
    _check_range(first.date(), last.date())
    run_phase(lambda: flow_named("verify")(first.date(), last.date()))


@app.command()
def rebuild(
    prices: Prices = None,
    accept: Accept = None,
    first: First = _FIRST,
    last: Last = _LAST,
    demo: Demo = False,
) -> None:
    """The whole plan: provision, migrate, seed, copy, backfill, serve, verify."""
    _check_range(first.date(), last.date())
    give_prices(prices, accept)
    report = run_phase(lambda: flow_named("rebuild")(first.date(), last.date(), demo))
    _show_rebuild(report)


@app.command()
def drift() -> None:
    """Compare both live databases with what their migration chains build."""
    from ops.drift import drift_of_pair
    from ops.drift.refusal import refuse_drift

    endpoints = resolve_endpoints(operator_settings())
    found = drift_of_pair(endpoints.core, endpoints.ai)
    for difference in found:
        out.print(f"{difference.severity}: {difference.message}", markup=False, soft_wrap=True)
    refuse_drift(found)
    if not found:
        out.print("no drift")


app.command()(status)
app.command()(assess)
app.command()(rehearse)


@app.command()
def dsn(
    which: Which,
    role: Annotated[str, typer.Option(help="Embedded: owner, app or readonly.")] = "owner",
) -> None:
    """Print the address of a database, as psql takes it. It holds a password."""
    settings = operator_settings()
    endpoints = resolve_endpoints(settings)
    url = getattr(endpoints, which.value)
    if url is None:
        raise ConfigurationError(f"there is no {which.value} database; set its URL")
    if role not in ("owner", "app", "readonly"):
        raise ConfigurationError(f"role {role!r} is unknown; use owner, app or readonly")
    if endpoints.target == "embedded" and role != "owner":
        url = EmbeddedDatabases(settings.state).url(which.value, role)  # type: ignore[arg-type]
    typer.echo(conninfo(url))


def _check_range(first: date, last: date) -> None:
    from ops.trading_calendar import trading_days

    trading_days(first, last)


def _show_rebuild(report: Any) -> None:
    from flows.prefect_server import PrefectServer

    counts = Table("table", box=None)
    for heading in ("plan", "ours"):
        counts.add_column(heading, justify="right")
    counts.add_column("equal")
    for figure in report.figures:
        equal = "yes" if figure.equal else "no"
        counts.add_row(figure.table, f"{figure.plan:,}", f"{figure.ours:,}", equal)
    out.print(counts)
    times = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.seconds.items())
    out.print(f"\nseconds: {times}", highlight=False, soft_wrap=True)
    settings = operator_settings()
    out.print(f"picture: {report.picture}", highlight=False, soft_wrap=True)
    out.print(f"run history: {PrefectServer(settings.state).dashboard}", highlight=False)
    if report.backend is not None:
        out.print(f"backend: {report.backend}", highlight=False)
    here = sys.argv[0]
    out.print(f'next: {here} status, or psql "$({here} dsn core)"', highlight=False, soft_wrap=True)


app.command()(swap)
app.command()(rollback)
app.command()(backup)
app.command()(cleanup)
app.command("import")(import_file)
app.command()(dashboard)
app.command()(prices)


if __name__ == "__main__":
    main()
