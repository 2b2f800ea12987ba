"""The railway stack under the real engine: the platform is a server that speaks the cited part of
its API, the databases behind its proxies are real."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import URL

from infra.automation import DrivenStack
from infra.driven import forget_legacy
from ops.books.marker import keep_books
from ops.connection import connect
from ops.embedded.server import LOOPBACK, EmbeddedServer
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.waiting import wait_until
from tests.acceptance.command_line import COMMAND_SECONDS, CommandLine
from tests.acceptance.test_secrets import files_with
from tests.conftest import running_server
from tests.infra.conftest import collect_loops
from tests.infra.railway_server import ENVIRONMENT, PROJECT, TOKEN, Railway, railway, silent
from tests.infra.test_embedded_stack import told
from tests.served_pair import have_serve

# Of a failed operation's event loop, which the SDK leaves open.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{left}:pytest.PytestUnraisableExceptionWarning")
    for left in (
        r"Exception ignored in. <socket.socket fd=\d+, family=1,",
        "Exception ignored in. <coroutine object run_",
        "Exception ignored in. <function BaseEventLoop.__del__",
    )
]
LEGACY = "postgresql://old:canary-old@old.proxy.rlwy.net:7000/railway?sslmode=require"
DEPLOYED = "serviceInstanceDeployV2"


@dataclass
class World:
    """A stack, and the platform that it is brought up on."""

    stack: DrivenStack
    platform: Railway
    log: list[str]

    def name(self, role: str) -> str:
        return f"railway-{self.stack.configuration()['identity']}-{role}"

    def deployed(self) -> list[str]:
        """The services that were deployed since the last look; two databases at once."""
        found = [name for what, name in self.platform.changes if what == DEPLOYED]
        self.platform.changes.clear()
        return sorted(name.rsplit("-", 1)[1] for name in found)


@pytest.fixture
def servers() -> Iterator[dict[str, EmbeddedServer]]:
    with ExitStack() as running:
        yield {name: running.enter_context(running_server()) for name in ("core", "ai")}


@pytest.fixture
def world(
    engine: str,
    servers: dict[str, EmbeddedServer],
    homes: Callable[[], StateFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    with railway() as platform:
        monkeypatch.setenv("RAILWAY_API_URL", platform.address)
        monkeypatch.setenv("RAILWAY_TOKEN", TOKEN)
        log: list[str] = []
        given = {"legacyDatabaseUrl": LEGACY, "hostsWithoutTls": LOOPBACK}
        stack = DrivenStack(homes(), "railway", "railway", log.append, given)
        stack.configure(
            identity="ab12",
            railwayProject=PROJECT,
            railwayEnvironment=ENVIRONMENT,
            backendImage="registry.example/backend:1",
        )
        for name, server in servers.items():
            stack.configure_secret(f"{name}SuperuserPassword", server.password)
            port = server.running_port()
            assert port is not None
            platform.places[f"railway-ab12-{name}"] = (LOOPBACK, port)
        yield World(stack, platform, log)
    collect_loops()


@pytest.mark.soak
def test_the_life_of_a_stack_on_railway(world: World) -> None:
    stack, platform = world.stack, world.platform
    stack.preview()
    assert platform.changes == [], "a preview makes nothing"

    platform.lost = ["volumeCreate"]
    with pytest.raises(ConfigurationError, match="finds by its name what was made"):
        stack.up()
    stack.up()
    assert world.deployed() == ["ai", "backend", "core"]
    assert len(platform.services) == 3
    assert len(platform.volumes) == 2
    assert stack.preview() == ()

    settings = OperatorSettings.model_validate({"SIGMASIGHT_HOME": stack.state.root})
    endpoints = resolve_endpoints(settings)
    with connect(endpoints.ai, application_name="tests") as session:
        query = "SELECT current_user, extname FROM pg_extension WHERE extname = 'vector'"
        assert session.execute(query).fetchall() == [("sigmasight_owner", "vector")]
    backend = platform.named(world.name("backend"))
    assert backend["variables"] == stack.outputs()["backend_environment"]
    assert (backend["settings"]["healthcheckPath"], backend["settings"]["source"]) == (
        "/ready",
        {"image": "registry.example/backend:1"},
    )

    stack.configure_secret("secretKey", "another-" + "k" * 32)
    stack.up()
    assert world.deployed() == ["backend"]
    platform.named(world.name("ai"))["latestDeployment"]["status"] = "CRASHED"
    stack.up()
    assert world.deployed() == ["ai"]

    _the_old_service_goes_with_the_old_database(world, settings, endpoints.core)

    with pytest.raises(ConfigurationError, match="is protected and was not removed"):
        stack.destroy()
    assert platform.changes == []
    stack.configure(protect="false")
    stack.up()
    stack.destroy()
    assert {what for what, _ in platform.changes} == {"deploymentStop"}
    assert len(platform.volumes) == 3, "the data stay, the old ones too"

    _nothing_is_told(world)


@pytest.mark.soak
def test_a_run_that_is_killed_is_finished_by_the_next(
    world: World, command_line: CommandLine
) -> None:
    """While it waits for the volumes."""
    stack, platform = world.stack, world.platform
    stack.preview()
    platform.failures["volumeCreate"] = [silent(COMMAND_SECONDS)] * 2
    environment = {**told(stack.state), "RAILWAY_API_URL": platform.address, "RAILWAY_TOKEN": TOKEN}
    key = "sigmasight:railwayProject"
    words = ("pulumi", "config", "set", "--stack", "railway", key, PROJECT)
    assert command_line.run(*words, **told(stack.state)).code == 0
    running = command_line.start(("up", "--target", "railway"), environment)
    assert wait_until(lambda: len(platform.services) == 2, COMMAND_SECONDS)
    running.kill()
    platform.failures.clear()
    stack.up()
    assert {*world.deployed()} == {"ai", "backend", "core"}  # by the killed run's provider too
    assert (len(platform.services), len(platform.volumes)) == (3, 2)
    assert stack.preview() == ()


def _the_old_service_goes_with_the_old_database(
    world: World, settings: OperatorSettings, core: URL
) -> None:
    """What a cleanup does once it has dropped the database."""
    keep_books(core, "core")
    have_serve(core, "new")
    proxy = {"domain": "old.proxy.rlwy.net", "proxyPort": 7000, "applicationPort": 5432}
    world.platform.add_service("Postgres")["proxies"].append(proxy)
    world.stack.configure(railwayLegacyService="Postgres")
    (left,) = forget_legacy(settings, world.log.append)
    assert left.startswith("its data are in the Railway volume")
    assert ("serviceDelete", "Postgres") in world.platform.changes
    assert world.deployed() == ["backend"]
    assert "legacyDatabaseUrl" not in world.stack.configuration()
    assert forget_legacy(settings, world.log.append) == ()


def _nothing_is_told(world: World) -> None:
    """The token is nowhere, and a password only in the state's secrets and the configuration's,
    both encrypted."""
    root = world.stack.state.root
    assert files_with(TOKEN, root) == set()
    for key, value in world.stack.configuration().items():
        if key.endswith(("Password", "secretKey", "Url")):
            assert files_with(value, root / "pulumi") == set(), key
            assert value not in json.dumps(world.log), key
