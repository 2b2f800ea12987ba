"""How a command runs a flow: against the Prefect server of its state folder."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from ops.embedded.databases import EmbeddedDatabases
from ops.errors import ConfigurationError
from ops.settings import operator_settings

out = Console()
err = Console(stderr=True, soft_wrap=True)


def run_phase(
    work: Callable[[], Any], prices: Path | None = None, *, start_databases: bool = True
) -> Any:
    """Run a flow against this state folder's Prefect server, started if none answers."""
    if prices is not None:
        os.environ["PRICES"] = str(prices)
        operator_settings.cache_clear()
    settings = operator_settings()
    if settings.PRICES is not None and not settings.PRICES.is_file():
        raise ConfigurationError(f"PRICES: there is no file {settings.PRICES}; correct its path")
    connect_prefect(start_databases)
    with _nothing_to_collect():
        from flows.console import show_own_lines
        from flows.crashed_runs import mark_crashed_runs, own_process

    show_own_lines()
    for name in mark_crashed_runs():
        out.print(f"marked as crashed: {name}", markup=False)
    with own_process():
        return work()


def connect_prefect(start_databases: bool) -> None:
    """Start the server while the databases come up; both take a few seconds."""
    from flows.prefect_server import PrefectServer

    settings = operator_settings()
    settings.state.create()
    server = PrefectServer(settings.state)
    server.start()
    databases = EmbeddedDatabases(settings.state)
    if start_databases and settings.DATABASE_URL is None and databases.exists():
        databases.up()
    server.wait()


def flow_named(name: str) -> Callable[..., Any]:
    """A flow by name; Prefect is imported only now, when its server's address is known."""
    from importlib import import_module

    with _nothing_to_collect():
        flow: Callable[..., Any] = getattr(import_module(f"flows.{name}"), name)
    return flow


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Imports make objects that stay: looking for garbage among them takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
