"""One state folder for all kills; every test starts from a clone of a point that was kept."""

from collections.abc import Iterator

import pytest

from flows.prefect_server import PrefectServer
from ops.connection import connect
from tests.acceptance.command_line import CommandLine
from tests.acceptance.rebuilt import discard
from tests.faults.cutover_scene import CutoverScene
from tests.faults.stage import PHASES, SMALL_BOOK, Stage
from tests.prefect_session import session_prefect


@pytest.fixture(scope="session")
def prefect_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> PrefectServer:
    return session_prefect(pytestconfig, tmp_path_factory)


@pytest.fixture(scope="session")
def stage(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Points kept: `nothing` (provisioned), `migrate`, `seed`, `whole_copy` (the whole demo book
    with prices), and of the small book `small_seed`, `copy`, `backfill`; of its prices also `stale`
    (some are missing, some are not as legacy has them) and `copy_again`."""
    commands = CommandLine(prefect_server, tmp_path_factory.mktemp("commands"))
    stage = Stage(commands, tmp_path_factory.mktemp("faults") / "home")
    stage.must("up")
    try:
        stage.keep("nothing")
        for phase in ("migrate", "seed"):
            stage.must(*PHASES[phase])
            stage.keep(phase)
        stage.must("copy")
        stage.keep("whole_copy")
        stage.back_to("seed")
        _keep_small_book(stage)
        stage.keep("small_seed")
        for phase in ("copy", "backfill"):
            stage.must(*PHASES[phase])
            stage.keep(phase)
        stage.back_to("copy")
        _spoil_prices(stage)
        stage.keep("stale")
        stage.must("copy")
        stage.keep("copy_again")
        yield stage
    finally:
        discard(stage.databases)


@pytest.fixture(scope="module")
def swappable(stage: Stage) -> Iterator[CutoverScene]:
    """The small book, verified, served from the old database."""
    scene = CutoverScene(stage)
    scene.prepare()
    try:
        yield scene
    finally:
        scene.leave()


def _keep_small_book(stage: Stage) -> None:
    with connect(stage.url("core"), application_name="tests") as connection:
        connection.execute(
            "UPDATE portfolios SET deleted_at = now() WHERE account_name <> ALL(%s)",
            [list(SMALL_BOOK)],
        )


def _spoil_prices(stage: Stage) -> None:
    with connect(stage.url("core"), application_name="tests") as connection:
        connection.execute("DELETE FROM market_data_cache WHERE symbol = 'SPY'")
        connection.execute("UPDATE market_data_cache SET close = close + 1 WHERE symbol = 'VTV'")
