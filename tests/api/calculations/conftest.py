"""A backend whose Core may be changed, and the backfill deployed on a real Prefect server."""

from collections.abc import Iterator

import pytest

from flows.prefect_server import PrefectServer
from ops.embedded.server import EmbeddedServer
from tests.api.backend import backend_process
from tests.api.calculations.desk import Desk
from tests.databases import create_database
from tests.prefect_session import session_prefect

_DEPLOY = "from flows.backfill import backfill; backfill.to_deployment('backfill').apply()"


@pytest.fixture(scope="session")
def prefect(pytestconfig: pytest.Config) -> PrefectServer:
    return session_prefect(pytestconfig)


@pytest.fixture(scope="session")
def served(
    server: EmbeddedServer,
    backfilled_template: str,
    ai_template: str,
    prefect: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    core, ai = create_database(server, backfilled_template), create_database(server, ai_template)
    folder = tmp_path_factory.mktemp("desk")
    assert prefect.api_url is not None
    with backend_process(core, ai, folder, PREFECT_API_URL=prefect.api_url) as backend:
        yield Desk(backend.answering(), core, ai, prefect, folder)


@pytest.fixture(scope="session")
def deployment(served: Desk) -> None:
    """The backfill, deployed as Prefect deploys a flow, with its parameters' schema enforced."""
    assert served.worker(("-c", _DEPLOY)).wait(120) == 0, served.log()


@pytest.fixture
def desk(served: Desk, deployment: None) -> Desk:
    """No job waits or runs."""
    served.rows("DELETE FROM batch_jobs")
    return served
