"""What the tests of the API share: one backend on the whole backfilled demo book."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy.engine import URL

from ops.backfill.planning import BackfillRequest
from ops.connection import connect
from ops.copy import copy_group
from ops.embedded.server import EmbeddedServer
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.seed import seed
from tests.api.backend import Backend, serving
from tests.backfilling import backfill
from tests.databases import create_database

INDIVIDUAL = "demo_individual@sigmasight.com"
HNW = "demo_hnw@sigmasight.com"
HEDGE_FUND = "demo_hedgefundstyle@sigmasight.com"
DEMO_PASSWORD = "demo"
ADMIN = HEDGE_FUND


@pytest.fixture(scope="session")
def backfilled_template(server: EmbeddedServer, core_template: str, legacy_template: str) -> str:
    """The name of a Core database as a rebuild leaves it; clone it. That each reference leads
    somewhere is seen where backfills are tested; to see it here took a third of the time."""
    core, legacy = create_database(server, core_template), server.url(legacy_template)
    unchecked = f"ALTER DATABASE {core.database} SET session_replication_role = "
    with connect(core, application_name="tests") as session:
        session.execute(f"{unchecked} replica".encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.demo.book_rows.BCRYPT_COST", 4)  # logins that take no quarter second
        seed(core, demo_password=DEMO_PASSWORD, legacy_url=legacy)
    copy_group(legacy, core)
    backfill(core, BackfillRequest(FIRST_DAY, LAST_DAY))
    with connect(core, application_name="tests") as session:
        session.execute(f"{unchecked} DEFAULT".encode())
    return str(core.database)


@pytest.fixture(scope="session")
def backend_databases(
    server: EmbeddedServer, backfilled_template: str, ai_template: str
) -> tuple[URL, URL]:
    return create_database(server, backfilled_template), create_database(server, ai_template)


@pytest.fixture(scope="session")
def session_backend(backend_databases: tuple[URL, URL]) -> Iterator[Backend]:
    core, ai = backend_databases
    with serving(core, ai, {"ADMIN_EMAILS": ADMIN}) as backend:
        yield backend


@pytest.fixture
def backend(session_backend: Backend) -> Iterator[Backend]:
    """The session's backend. No test may send a table's statement to the other database."""
    yield session_backend
    strays = session_backend.statements.strays
    assert not strays, f"sent to the wrong database: {strays}"


@pytest.fixture
def individual(backend: Backend) -> Iterator[httpx.Client]:
    """A client of the demo's individual investor (one portfolio)."""
    with backend.client(INDIVIDUAL) as client:
        yield client


@pytest.fixture
def hedge_fund(backend: Backend) -> Iterator[httpx.Client]:
    """A client of the demo's hedge fund (shorts and options), who is an administrator."""
    with backend.client(HEDGE_FUND) as client:
        yield client


@pytest.fixture
def anonymous(backend: Backend) -> Iterator[httpx.Client]:
    with backend.client() as client:
        yield client
