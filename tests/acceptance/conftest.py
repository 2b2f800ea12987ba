"""What the acceptance tests share: the command line on one Prefect server, and seeded databases."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flows.prefect_server import PrefectServer
from ops.demo.prices import PriceHistory, generate_prices
from ops.embedded.server import EmbeddedServer
from ops.seed import seed
from tests.acceptance.command_line import CommandLine
from tests.acceptance.rebuilt import Rebuilt, discard
from tests.acceptance.scene import Scene
from tests.databases import NewDatabase, create_database
from tests.prefect_session import session_prefect


@pytest.fixture(scope="session")
def prefect_server(pytestconfig: pytest.Config) -> PrefectServer:
    return session_prefect(pytestconfig)


@pytest.fixture(scope="session")
def command_line(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> CommandLine:
    return CommandLine(prefect_server, tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="session")
def seeded_template(server: EmbeddedServer, core_template: str) -> str:
    """The name of a Core database with the demo book and no prices; clone it."""
    url = create_database(server, core_template)
    seed(url, demo_password="demo")
    return str(url.database)


@pytest.fixture
def scene(
    server: EmbeddedServer,
    new_database: NewDatabase,
    core_template: str,
    ai_template: str,
    seeded_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    with Scene(
        server,
        new_database,
        {"core": core_template, "ai": ai_template, "seeded": seeded_template},
        tmp_path_factory.mktemp("scene"),
    ) as scene:
        yield scene


@pytest.fixture(scope="session")
def rebuilt(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rebuilt]:
    """What one run of the installed `sigmasight rebuild` leaves in a new state folder."""
    home = tmp_path_factory.mktemp("rebuilt") / "home"
    rebuilt = Rebuilt(home, prefect_server, canary=f"canary{secrets.token_hex(8)}")
    rebuilt.plant()
    try:
        rebuilt.rebuild()
        yield rebuilt
    finally:
        discard(rebuilt.databases)


@pytest.fixture(scope="session")
def other_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound price file: the generated prices, written down."""
    return write_prices(generate_prices(), tmp_path_factory.mktemp("prices") / "other.csv")


def write_prices(history: PriceHistory, path: Path) -> Path:
    """Write a history down as a tidy CSV."""
    with open(path, "w") as file:
        file.write("symbol,date,open,high,low,close,volume\n")
        for day, column in zip(*(~np.isnan(history.close)).nonzero(), strict=True):
            cells = [getattr(history, name)[day, column] for name in _PRICES]
            file.write(f"{history.symbols[column]},{history.dates[day]},")
            file.write(",".join(map(str, cells)) + "\n")
    return path


_PRICES = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="session")
def real_prices() -> Path:
    """The file that REAL_PRICES names."""
    named = os.environ.get("REAL_PRICES")
    if not named:
        pytest.skip(
            "set REAL_PRICES to a CSV of real daily prices, symbol,date,open,high,low,close,volume "
            "(plain or gzip), to run the whole move on it"
        )
    return Path(named).resolve()
