"""The active pair of an external stack, changed with the real engine, real databases and a backend
that a stand-in for somebody's platform redeploys."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.chain_folders import PROJECT_ROOT
from infra.automation import DrivenStack
from infra.driven import forget_legacy, record_outputs
from infra.public_backend import NotServedError
from infra.stack_switch import StackSwitch, switch_for
from ops.books.active_pair import Pair
from ops.books.declared_stack import declared_active, record_declared
from ops.connection import conninfo
from ops.cutover.switch import Switch
from ops.embedded.server import EmbeddedServer
from ops.errors import ConfigurationError, RefusedError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.conftest import create_database
from tests.infra.conftest import collect_loops
from tests.infra.hosting_platform import Platform
from tests.integration.cutover.switch_contract import Installed, SwitchContract

# Of a failed operation's event loop, which the SDK leaves open.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket.socket fd=\d+, family=1,"
    ":pytest.PytestUnraisableExceptionWarning"
)


@dataclass
class World:
    """An external stack, brought up, and the platform that serves its backend."""

    state: StateFolder
    platform: Platform
    log: list[str]
    given: dict[str, str]

    def settings(self, **given: str) -> OperatorSettings:
        told = {"SIGMASIGHT_HOME": self.state.root, "BACKEND_URL": self.platform.url, **given}
        return OperatorSettings.model_validate(told)

    def switch(self, seconds: int = 90) -> StackSwitch:
        found = switch_for(self.settings(BACKEND_REDEPLOY_SECONDS=str(seconds)), self.log.append)
        assert found is not None
        return found

    def change(self, pair: Pair, seconds: int = 90) -> float:
        """A swap or rollback, as far as the target is concerned."""
        with self.switch(seconds).hold(1) as held:
            held.flip(pair)
            return held.release()

    def served(self, pair: Pair) -> None:
        """Everything says the same pair, and nothing is left to be done."""
        switch = self.switch()
        outputs = switch.stack.outputs()
        assert self.platform.pair() == pair
        assert (switch.active(), outputs["active"]) == (pair, pair)
        assert outputs["backend_environment"]["ACTIVE_PAIR"] == pair
        assert declared_active(self.state) == pair
        assert switch.stack.preview().changes == ()


@pytest.fixture(scope="module")
def world(
    engine: str,
    server: EmbeddedServer,
    core_template: str,
    ai_template: str,
    legacy_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    root = tmp_path_factory.mktemp("stack_switch")
    names = {"databaseUrl": core_template, "aiDatabaseUrl": ai_template}
    names["legacyDatabaseUrl"] = legacy_template
    given = {}
    for key, template in names.items():
        create_database(server, f"stack_switch_{template}", template)
        given[key] = conninfo(server.url(f"stack_switch_{template}"))
    state, log = StateFolder(root / "home"), list[str]()
    state.create()
    stack = DrivenStack(state, "external", "external", log.append, given)
    stack.up()
    record_outputs(state, "external", stack.outputs())
    with Platform(DrivenStack(state, "external", "external", log.append), root) as platform:
        made = World(state, platform, log, given)
        made.switch().await_redeployment(platform.url, "old")
        yield made
    collect_loops()


def test_the_log_says_what_the_platform_needs_and_what_the_change_took(world: World) -> None:
    world.served("old")
    seconds = world.change("new")
    world.served("new")
    told = "\n".join(world.log)
    assert f"outage: nothing could be relied on for {seconds:.1f} s" in told
    assert "serve from the new pair now: give your platform the variables" in told
    assert "done: update Backend backend" in told, "the plan shows the change"
    assert world.switch().stage("new") is None
    assert "postgresql://" not in "\n".join(world.log)


@pytest.mark.soak
def test_a_platform_that_does_not_redeploy_is_not_waited_for_forever(world: World) -> None:
    world.platform.heeds.clear()
    world.log.clear()
    try:
        begun = time.monotonic()
        with pytest.raises(NotServedError, match="within 2 s: serves from the new pair"):
            world.change("old", seconds=2)
        assert time.monotonic() - begun < 60
    finally:
        world.platform.heeds.set()
    assert "going back to the new pair" in "\n".join(world.log)
    world.switch().serve_active()
    world.served("new")


KILLED = """
import os, signal, sys
from infra.stack_switch import switch_for
from ops.settings import OperatorSettings

switch = switch_for(OperatorSettings(), print)
with switch.hold(1) as held:
    if len(sys.argv) > 1:
        held.flip(sys.argv[1])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.soak
class TestStackSwitch(SwitchContract):
    """Goes on from the new pair, and leaves the old one active."""

    @pytest.fixture
    def installed(self, world: World) -> Installed:
        def die_holding(switch: Switch, flip_to: Pair | None) -> None:
            told = {"SIGMASIGHT_HOME": str(world.state.root), "BACKEND_URL": world.platform.url}
            killed = subprocess.run(
                [sys.executable, "-c", KILLED, *([flip_to] if flip_to else [])],
                env={**os.environ, **told, "PYTHONPATH": str(PROJECT_ROOT)},
                cwd=world.state.root,
                capture_output=True,
            )
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            changes = world.switch().stack.preview().changes
            left = [(change.operation, change.resource) for change in changes]
            assert left == ([("update", "backend")] if flip_to else []), "not done yet is shown"

        return Installed(world.switch(), die_holding)


@pytest.mark.soak
def test_a_backend_that_does_not_name_its_pair_is_refused(
    world: World, unnamed_backend: str
) -> None:
    switch = switch_for(world.settings(BACKEND_URL=unnamed_backend), world.log.append)
    assert switch is not None
    refusal = pytest.raises(RefusedError, match=r"does not name its pair.*ACTIVE_PAIR")
    with refusal, switch.hold(1):
        raise AssertionError("held")
    world.served(switch.active())


@pytest.fixture
def unnamed_backend(tmp_path: Path) -> Iterator[str]:
    """Anything that answers HTTP."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as answering:
        thread = Thread(target=answering.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{answering.server_port}"
        answering.shutdown()
        thread.join()


@pytest.mark.soak
def test_the_old_database_is_forgotten_only_after_a_swap_and_for_good(world: World) -> None:
    """The last test of the module: nothing brings the old pair back."""
    with pytest.raises(RefusedError, match="the old database is in use; swap first"):
        forget_legacy(world.settings(), world.log.append)
    world.served("old")
    world.change("new")
    left = forget_legacy(world.settings(), world.log.append)
    assert "delete the service itself" in left[0]
    assert forget_legacy(world.settings(), world.log.append) == left, "idempotent"
    world.served("new")
    still_given = DrivenStack(world.state, "external", "external", world.log.append, world.given)
    assert still_given.up().changes == ()
    assert "legacyDatabaseUrl" not in still_given.configuration()
    assert still_given.outputs().get("legacy_url") is None


# Without an engine


def settings(state: StateFolder, **given: str) -> OperatorSettings:
    told = {"SIGMASIGHT_HOME": state.root, **given}
    return OperatorSettings.model_validate(told)


HOST = "postgresql://owner:p@127.0.0.1"
GIVEN = {"DATABASE_URL": f"{HOST}:1/x", "AI_DATABASE_URL": f"{HOST}:2/y"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    for name in OperatorSettings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = StateFolder(tmp_path / "home")
    folder.create()
    return folder


def test_embedded_servers_have_a_switch_of_their_own(state: StateFolder) -> None:
    assert switch_for(settings(state), print) is None
    record_declared(state, "embedded", {})
    assert switch_for(settings(state), print) is None


@pytest.mark.parametrize("target", [None, "embedded", "docker"])
def test_addresses_without_a_stack_have_no_home_for_the_pair(
    state: StateFolder, target: str | None
) -> None:
    if target is not None:
        record_declared(state, target, {})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="declare that by `sigmasight up --target exter"):
        switch_for(settings(state, **GIVEN), print)


def test_a_stack_keeps_its_name_for_the_swap(state: StateFolder) -> None:
    record_declared(state, "external", {}, name="blue", active="old")
    found = switch_for(settings(state, **GIVEN), print)
    assert found is not None
    assert (found.stack.name, found.target, found.loses_nothing) == ("blue", "external", False)
    other = switch_for(settings(state, SIGMASIGHT_STACK="green"), print)
    assert other is not None
    assert other.stack.name == "green"
    assert declared_active(state) == "old"
