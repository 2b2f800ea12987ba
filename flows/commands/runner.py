"""How a command runs a flow: against the Prefect server of its state folder."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from flows.commands.output import err, shown
from flows.progress import step

if TYPE_CHECKING:
    from ops.settings import OperatorSettings


def run_phase(
    work: Callable[[], Any],
    *,
    judge: Callable[[], None] | None = None,
    start_databases: bool = True,
    makes_databases: bool = False,
    days: tuple[date, date] | None = None,
) -> Any:
    """Run a flow against this state folder's Prefect server, started if none answers.

    Args:
        judge: looks at what was given, and refuses it before anything starts.
        start_databases: start the embedded databases of this state folder, if there are any.
        makes_databases: whether the flow can begin without any; else their absence is refused
            before a server is started.
        days: first and last of a range, which is refused before that too.
    """
    from flows.commands.display import display

    with display(shown.command):
        if days is not None:
            with step("trading days"):
                from ops.trading_calendar import trading_days

                trading_days(*days)
        if judge is not None:
            judge()
        settings = settings_now()
        if not makes_databases:
            from ops.endpoints import resolve_endpoints

            resolve_endpoints(settings)
        connect_prefect(start_databases)
        with step("load the phases"):
            from flows.console import show_own_lines
            from flows.crashed_runs import own_process

        show_own_lines()
        tell_crashed_runs()
        with own_process():
            return work()


@contextmanager
def one_step(name: str) -> Iterator[None]:
    """Show that a command is at work that is no phase."""
    from flows.commands.display import display

    _look_for_garbage()
    with display(shown.command), step(name):
        yield


def tell_crashed_runs() -> None:
    """Mark the runs whose process is gone, and say which."""
    from flows.crashed_runs import mark_crashed_runs

    for name in mark_crashed_runs():
        err().print(f"marked as crashed: {name}")


def settings_now() -> "OperatorSettings":
    """The settings in force, with a word on keys of `.env` that look like some and are none.

    Raises:
        ConfigurationError: one cannot be used.
    """
    from ops.setting_origins import misspelt_settings
    from ops.settings import operator_settings

    settings = operator_settings()
    for line in misspelt_settings():
        where = f" The databases are those of {settings.state.root}"
        err().print(f"warning: {line}{where if settings.embedded else ''}")
    return settings


def connect_prefect(start_databases: bool) -> None:
    """Start the server while the databases come up; both take a few seconds."""
    from flows.prefect_server import PrefectServer
    from ops.embedded.databases import EmbeddedDatabases
    from ops.settings import operator_settings

    settings = operator_settings()
    settings.state.create()
    server = PrefectServer(settings.state)
    server.start()
    databases = EmbeddedDatabases(settings.state)
    if start_databases and settings.DATABASE_URL is None and databases.exists():
        with step("databases"):
            databases.up()
    with step("Prefect server"):
        server.wait()


def flow_named(name: str) -> Callable[..., Any]:
    """A flow by name; Prefect is imported only now, when its server's address is known."""
    flow: Callable[..., Any] = getattr(import_module(f"flows.{name}"), name)
    _look_for_garbage()
    return flow


def _look_for_garbage() -> None:
    """From here on, and not among what was imported: see `flows.cli.main`."""
    gc.freeze()
    gc.enable()
