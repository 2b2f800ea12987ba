"""Servers that live as long as one benchmark, with the settings that users get."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy.engine import URL

from flows.backfill import backfill
from flows.prefect_server import PrefectServer
from ops.backfill import Engine
from ops.connection import conninfo
from ops.copy import copy_group
from ops.demo.legacy import create_legacy
from ops.demo.prices import generate_prices
from ops.embedded.databases import EmbeddedDatabases, Name
from ops.migrate import upgrade
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.seed import seed
from ops.state_folder import StateFolder

_PASSWORD = "benchmark only"


@contextmanager
def databases(*names: Name) -> Iterator[dict[Name, URL]]:
    """Owner URLs of fresh embedded databases; stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        Path(folder).chmod(0o711)
        embedded = EmbeddedDatabases(StateFolder(Path(folder) / "state"))
        try:
            yield embedded.up(names)
        finally:
            embedded.down()


@contextmanager
def ready_for_backfill() -> Iterator[URL]:
    """A Core database with the demo book seeded and its prices copied."""
    with databases("legacy", "core") as urls:
        _fill(urls["legacy"], urls["core"])
        yield urls["core"]


@contextmanager
def pair_ready_for_backfill() -> Iterator[tuple[URL, URL]]:
    """The same beside a migrated AI database, with a server for the flows of the block."""
    with databases("legacy", "core", "ai") as urls:
        _fill(urls["legacy"], urls["core"])
        upgrade("ai", urls["ai"])
        with prefect_server():
            yield urls["core"], urls["ai"]


@contextmanager
def backfilled_pair() -> Iterator[tuple[URL, URL]]:
    """Core as a rebuild leaves it, and a migrated AI database."""
    with pair_ready_for_backfill() as (core, ai):
        run_backfill(core, FIRST_DAY)
        yield core, ai


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables for this process and for those that it starts."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def prefect_server() -> Iterator[None]:
    """A server for the flows of this process and of those that it starts."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder, environment():
        server = PrefectServer(StateFolder(Path(folder) / "prefect"))
        server.state.create()
        server.start()
        try:
            server.wait()
            yield
        finally:
            os.environ.pop("PREFECT_API_URL", None)  # one that is named is not ours
            server.stop()


def run_backfill(core: URL, first: date, engine: Engine = "local") -> None:
    """The flow that `sigmasight backfill` runs, from `first` to the plan's last day."""
    with environment(DATABASE_URL=conninfo(core)):
        backfill(first, LAST_DAY, engine=engine)


def _fill(legacy: URL, core: URL) -> None:
    create_legacy(legacy, generate_prices(), demo_password=_PASSWORD)
    upgrade("core", core)
    seed(core, demo_password=_PASSWORD, legacy_url=legacy)
    copy_group(legacy, core)
