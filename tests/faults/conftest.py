"""One state folder for all kills; every test starts from a clone of a point that was kept."""

from collections.abc import Iterator

import pytest

from flows.prefect_server import PrefectServer
from tests.acceptance.command_line import CommandLine
from tests.acceptance.rebuilt import discard
from tests.faults.stage import Stage
from tests.prefect_session import session_prefect


@pytest.fixture(scope="session")
def prefect_server(pytestconfig: pytest.Config) -> PrefectServer:
    return session_prefect(pytestconfig)


@pytest.fixture(scope="session")
def stage(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Three servers and the demo's old database; nothing else is built before it is asked for."""
    commands = CommandLine(prefect_server, tmp_path_factory.mktemp("commands"))
    stage = Stage(commands, tmp_path_factory.mktemp("faults") / "home")
    try:
        stage.make()
        yield stage
    finally:
        discard(stage.databases)
