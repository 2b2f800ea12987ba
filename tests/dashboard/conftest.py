"""One dashboard for all: a state folder of its own, with its own server and worker."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.embedded.databases import EmbeddedDatabases
from tests.dashboard.dashboard import Dashboard
from tests.prefect_session import give_prefect_its_tables

FIRST, LAST = "2025-07-01", "2025-07-15"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at a state folder without databases comes before what fills it, and what kills the
    server last."""
    ours = [
        number for number, item in enumerate(items) if Path(__file__).parent in item.path.parents
    ]
    fills = sorted((items[number] for number in ours), key=_rank)
    for number, item in zip(ours, fills, strict=True):
        items[number] = item


def _rank(item: pytest.Item) -> int:
    if item.path.stem == "test_lost_server":
        return 2
    return int("rebuilt_by_button" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def dashboard(pytestconfig: pytest.Config) -> Iterator[Dashboard]:
    """What `sigmasight dashboard` leaves in an empty state folder: no databases yet.

    Not below pytest's folders, which are closed to the servers' account.
    """
    folder = Path(tempfile.mkdtemp(prefix="sigmasight-dashboard-"))
    folder.chmod(0o711)
    dashboard = Dashboard(folder / "home", canary=f"canary{secrets.token_hex(8)}")
    dashboard.plant()
    give_prefect_its_tables(dashboard.state, pytestconfig)
    try:
        dashboard.run("sigmasight", "dashboard")
        yield dashboard
    finally:
        dashboard.run("sigmasight", "down")
        servers = EmbeddedDatabases(dashboard.state).state.root / "servers"
        shutil.rmtree(servers.resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def rebuilt_by_button(dashboard: Dashboard) -> str:
    """The run of a rebuild of ten days that the worker has carried out; the state folder then
    holds a small finished system."""
    run_id = dashboard.press("rebuild", first=FIRST, last=LAST)
    run = dashboard.await_state(run_id)
    assert run["state_type"] == "COMPLETED", (run["state"], dashboard.log(run_id))
    return run_id
