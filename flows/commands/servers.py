"""The commands on servers: `up`, `down`, `dsn`, and Pulumi's own on a declared stack."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Accept, DatabaseName, Prices, RoleName
from flows.commands.output import err, out, say, shown
from flows.commands.prices import give_prices
from flows.commands.runner import flow_named, run_phase
from flows.progress import as_step
from ops.books.declared_stack import Target
from ops.errors import BadInputError, ConfigurationError

if TYPE_CHECKING:
    from ops.endpoints import Endpoints
    from ops.state_folder import StateFolder


def up(
    prices: Prices = None,
    accept: Accept = None,
    target: Annotated[
        Target | None, typer.Option(help="Have Pulumi bring the declared stack up.")
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only show what Pulumi would change.")
    ] = False,
) -> None:
    """Make or start the embedded databases with the demo's old one, and what `down` has stopped; or
    a declared stack, by default the containers that were brought up last."""
    mode = "preview" if preview else "up"

    def judge() -> None:
        give_prices(prices, accept)
        if preview:
            _refuse_undeclared(target)

    changes = run_phase(
        lambda: _bring_up(target, mode),
        judge=judge,
        start_databases=not preview,
        makes_databases=True,
    )
    if preview:
        lines = ("{operation}: {resource} ({type})".format(**one) for one in changes)
        say(*(lines if changes else ("nothing would change",)))


def _refuse_undeclared(target: Target | None) -> None:
    from ops.settings import operator_settings

    settings = operator_settings()
    known = settings.SIGMASIGHT_TARGET or settings.SIGMASIGHT_STACK or settings.in_containers
    if not (target or known):
        raise ConfigurationError("only a declared stack has a preview; say which by --target")


def _bring_up(target: Target | None, mode: str) -> "list[dict[str, str]]":
    """The databases, then the backend and the worker that have run here before."""
    from flows.worker import Worker
    from ops.backend.supervisor import DOCUMENT
    from ops.settings import operator_settings

    settings = operator_settings()
    target = target or ("docker" if settings.in_containers else None)
    changes: list[dict[str, str]] = flow_named("provision")(target, mode)
    state = settings.state
    if mode == "up" and state.read(DOCUMENT):
        flow_named("serve")()
    if mode == "up" and Worker(state).name:
        Worker(state).start()
    return changes


def pulumi(context: typer.Context) -> None:
    """Run Pulumi's command line on the stack that `up --target` made: config, stack, destroy …"""
    from infra.automation import run_cli
    from ops.settings import operator_settings

    settings = operator_settings()
    sys.exit(run_cli(settings.state, settings.SIGMASIGHT_STACK, context.args))


def down() -> None:
    """Stop worker, backend, embedded databases and Prefect server; all data stays."""
    from ops.settings import operator_settings

    settings = operator_settings()
    state = settings.state
    if not state.root.exists():
        out().print("nothing runs here")
        return
    from flows.commands.display import display
    from ops.processes import note_stopped

    note_stopped(state)  # first: what is cut off from here on is not tried again
    with display(shown.command):
        stopped = _stop(state)
    again = "; `sigmasight up` starts them again" if stopped else ""
    say(f"stopped: {', '.join(stopped) or 'nothing ran'}{again}")
    if settings.in_containers:
        say("the stack's containers run on; `docker stop` ends them, and `up` starts them again")


def _stop(state: "StateFolder") -> list[str]:
    """Stop what runs, the users of each server before it; the names of what ran."""
    from flows.prefect_server import PrefectServer
    from flows.worker import Worker
    from ops.backend.supervised import SupervisedBackend
    from ops.embedded.databases import EmbeddedDatabases

    stopped = []
    if as_step("stop the worker", Worker(state).stop)():
        stopped.append("worker")
    if as_step("stop the backend", SupervisedBackend(state).stop)():
        stopped.append("backend")
    stopped += as_step("stop the databases", EmbeddedDatabases(state).down)()
    if as_step("stop the Prefect server", PrefectServer(state).stop)():
        stopped.append("prefect")
    return stopped


def dsn(
    which: DatabaseName,
    role: Annotated[RoleName, typer.Option(help="Of the embedded servers.")] = "owner",
) -> None:
    """Print the address of a database, as psql takes it. It holds a password."""
    from ops.connection import conninfo
    from ops.embedded.databases import EmbeddedDatabases
    from ops.endpoints import given_legacy, present_endpoints
    from ops.settings import operator_settings

    settings = operator_settings()
    endpoints = present_endpoints(settings)
    url = getattr(endpoints, which.value)
    if url is None:
        raise ConfigurationError(f"there is no {which.value} database; set its URL")
    if role != "owner":
        given = which is DatabaseName.legacy and given_legacy(settings) is not None
        if given or endpoints.target != "embedded":
            raise BadInputError("roles are the embedded servers'; this address has the one given")
        url = EmbeddedDatabases(settings.state).url(which.value, role)
    if which is DatabaseName.legacy:
        _warn_of_quiet_days(endpoints)
    typer.echo(conninfo(url))


def _warn_of_quiet_days(endpoints: "Endpoints") -> None:
    import psycopg

    from ops.errors import SigmaSightError
    from ops.evidence.cutovers import swap_in_force

    with suppress(SigmaSightError, psycopg.Error):  # the address is wanted all the same
        if swap_in_force(endpoints.core) is not None:
            err().print(
                "warning: a swap is in force; whoever reads the old database's tables starts the "
                "quiet days anew that its cleanup waits for"
            )
