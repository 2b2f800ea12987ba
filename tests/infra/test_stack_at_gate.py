"""The active pair of an external stack: the real engine, real databases, and a backend that is
deployed once, with what the stack tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from infra import automation
from infra.automation import DrivenStack
from infra.driven import forget_legacy
from infra.gate import follow, switch_for
from ops.backend.serving import keep_swapped
from ops.books.active_pair import Pair
from ops.books.declared_stack import RecordedStack, declared, record_active, record_declared
from ops.books.gate import served_pair
from ops.books.marker import keep_books
from ops.connection import connect, conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.embedded.server import EmbeddedServer
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError, RefusedError
from ops.probe_accounts import demo_accounts
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.verify import Subject
from ops.verify.http import checks
from ops.verify.http.checks import backend_checks
from ops.verify.run import answer
from ops.write_lock.lock import lock_and_prove, release_any_lock
from tests.api.backend import backend_process
from tests.databases import create_database
from tests.infra.conftest import collect_loops
from tests.integration.cutover.switch_contract import named
from tests.integration.serving.starting import eventually
from tests.integration.verify_http.tiny_server import json_reply, serving
from tests.served_pair import have_serve


@dataclass
class World:
    """An external stack, brought up, and where the backend answers that was deployed then."""

    stack: DrivenStack
    core: URL
    ai: URL
    legacy: URL
    log: list[str]
    deployed: dict[str, str]
    address: str = ""

    def settings(self) -> OperatorSettings:
        return settings(self.stack.state, BACKEND_URL=self.address)

    def switch(self) -> GateSwitch:
        return switch_for(self.settings())

    def change(self, pair: Pair) -> None:
        """A swap or rollback, as far as the target is concerned."""
        switch = self.switch()
        before = switch.active()
        assert named(switch.stage(pair)) == pair
        with switch.hold(60.0) as held:
            if pair == "new":
                lock_and_prove(self.legacy)
            held.flip(pair)
            if pair == "old":
                release_any_lock(self.legacy)
            held.release()
        switch.retire(before)
        follow(self.settings(), pair, self.log.append)

    def served(self, pair: Pair) -> None:
        """Everything says the same pair."""
        assert (self.switch().active(), named(self.address)) == (pair, pair)
        outputs = self.stack.outputs()
        assert (self.stack.configuration()["active"], outputs["active"]) == (pair, pair)
        assert outputs["backend_environment"] == self.deployed
        assert declared(self.stack.state).active == pair

    def is_settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.stack.preview() == ()

    def forget_the_gate(self) -> None:
        with connect(self.core, application_name="tests", autocommit=True) as session:
            session.execute("DELETE FROM ops.gate")


@pytest.fixture(scope="module")
def world(
    engine: str,
    server: EmbeddedServer,
    core_template: str,
    ai_template: str,
    legacy_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    root = tmp_path_factory.mktemp("gated_stack")
    templates = {"database": core_template, "aiDatabase": ai_template}
    templates["legacyDatabase"] = legacy_template
    urls = {key: create_database(server, template) for key, template in templates.items()}
    given = {f"{key}Url": conninfo(url) for key, url in urls.items()}
    state, log = StateFolder(root / "home"), list[str]()
    state.create()
    stack = DrivenStack(state, "external", "external", log.append, given)
    stack.up()
    outputs = stack.outputs()
    deployed = outputs["backend_environment"]
    made = World(stack, urls["database"], urls["aiDatabase"], urls["legacyDatabase"], log, deployed)
    folder = tmp_path_factory.mktemp("replica")
    with backend_process(made.core, made.ai, folder, **made.deployed) as backend:
        made.address = backend.answering()
        yield made
    collect_loops()


def test_a_swap_and_a_rollback_replace_nothing(world: World) -> None:
    pairs: list[Pair] = ["new", "old"]
    world.switch().refuse_strangers(world.ai, 1)
    for pair in pairs:
        world.log.clear()
        world.change(pair)
        assert world.log == [], "the engine tells what it changes"
        world.served(pair)
    assert world.is_settled()


def test_a_verification_asks_the_new_pair_while_users_reach_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a swap and after a rollback, where only BACKEND_URL says who users reach."""
    found = world.settings()
    monkeypatch.setattr(checks, "reachable_accounts", lambda *_: demo_accounts("demo"))
    monkeypatch.setattr(checks, "http_checks", lambda target: (target.url,))
    with backend_checks(found, resolve_endpoints(found)) as asked:
        assert (named(world.address), [named(url) for url in asked]) == ("old", ["new"])


@pytest.mark.soak
@pytest.mark.parametrize(("said", "pair"), [("new", "new"), (None, "old"), ("old", "old")])
def test_an_installation_from_before_the_gate_is_taken_over(
    world: World, said: str | None, pair: Pair
) -> None:
    """Swapped, never swapped, rolled back; afterwards what the stack says decides nothing."""
    world.stack.forget("active")
    if said is not None:
        world.stack.configure(active=said)
    world.forget_the_gate()
    world.stack.state.update("stack", active=None)
    with pytest.raises(ConfigurationError, match="run `sigmasight up --target external`"):
        world.switch()
    world.stack.up()
    (lock_and_prove if pair == "new" else release_any_lock)(world.legacy)
    assert world.switch().active() == pair
    world.switch().serve_active()
    eventually(lambda: named(world.address) == pair)
    record_active(world.stack.state, "old" if pair == "new" else "new")
    assert world.switch().active() == pair


@pytest.mark.soak
def test_the_old_database_is_forgotten_only_after_a_swap_and_for_good(world: World) -> None:
    """The last test of the module: nothing brings the old pair back."""
    with pytest.raises(RefusedError, match="the old database, which is in use; swap first"):
        forget_legacy(world.settings(), world.log.append)
    world.change("new")
    left = forget_legacy(world.settings(), world.log.append)
    assert "delete the service itself" in left[0]
    assert forget_legacy(world.settings(), world.log.append) == left, "idempotent"
    assert world.stack.up() == (), "although its address is still given"
    assert "legacyDatabaseUrl" not in world.stack.configuration()
    assert world.stack.outputs().get("legacy_url") is None
    world.deployed = {**world.deployed, "ACTIVE_PAIR": "new"}
    del world.deployed["LEGACY_DATABASE_URL"]
    world.served("new")
    assert world.is_settled()


# Without an engine


def settings(state: StateFolder, **given: str) -> OperatorSettings:
    told = {"SIGMASIGHT_HOME": state.root, **given}
    return OperatorSettings.model_validate(told)


HOST = "postgresql://owner:p@127.0.0.1"
GIVEN = {"DATABASE_URL": f"{HOST}:1/x", "AI_DATABASE_URL": f"{HOST}:2/y"}
URLS = {"core": f"{HOST}:1/x", "ai": f"{HOST}:2/y", "legacy": f"{HOST}:3/z"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    for name in OperatorSettings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = StateFolder(tmp_path / "home")
    folder.create()
    return folder


@pytest.mark.parametrize("target", [None, "embedded", "docker"])
def test_addresses_without_a_stack_have_no_home_for_the_pair(
    state: StateFolder, target: str | None
) -> None:
    if target is not None:
        record_declared(state, RecordedStack(target, {}))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="declare that by `sigmasight up --target exter"):
        switch_for(settings(state, **GIVEN))


def test_the_backend_is_where_it_was_said_or_where_the_stack_runs_it(state: StateFolder) -> None:
    record_declared(
        state, RecordedStack("docker", URLS, active="old", backend="http://127.0.0.1:8000")
    )
    found = switch_for(settings(state))
    assert (found.core.port, found.public_address()) == (1, "http://127.0.0.1:8000")
    behind = switch_for(settings(state, BACKEND_URL="https://api.example"))
    assert behind.public_address() == "https://api.example"
    assert settings(state, **GIVEN).backend_address is None, "not of these databases"
    record_declared(state, RecordedStack("external", URLS, active="old"))
    with pytest.raises(ConfigurationError, match="set BACKEND_URL to where users reach it"):
        switch_for(settings(state))


def test_a_verification_asks_the_backend_of_the_stack(
    state: StateFolder, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_books(core_url, "core")
    have_serve(core_url, "new")
    urls = {"core": conninfo(core_url), "ai": f"{HOST}:2/y"}
    found = settings(state)
    monkeypatch.setattr(checks, "reachable_accounts", lambda *_: demo_accounts("demo"))
    subject = Subject(core_url, core_url, None, date(2025, 7, 1), date(2025, 7, 3))
    said = {"status": "healthy", "overall_status": "ok"}
    with serving(lambda _request: iter([json_reply(200, said)])) as url:
        record_declared(state, RecordedStack("docker", urls, active="new", backend=url))
        with backend_checks(found, resolve_endpoints(found)) as asked:
            alive = answer(subject, asked[0])
    assert alive.detail.startswith(f"{url}: healthy")
    assert found.backend_expected


def test_a_stack_that_cannot_follow_is_told_of_and_the_pair_is_known_all_the_same(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise ConfigurationError("Pulumi's command line is not here")

    monkeypatch.setattr(automation, "find_cli", absent)
    record_declared(state, RecordedStack("external", URLS, name="blue", active="old"))
    told: list[str] = []
    follow(settings(state), "new", told.append)
    (line,) = told
    assert "the stack blue does not name the active pair yet: Pulumi's command line is" in line
    assert "run the same command again" in line
    assert declared(state).active == "new"


@pytest.mark.parametrize(("said", "kept"), [("new", "new"), ("old", None)])
def test_a_swap_from_before_the_gate_is_kept_in_core_before_backends_ask_it(
    state: StateFolder, core_url: URL, said: Pair | None, kept: Pair | None
) -> None:
    """One that was never swapped, or rolled back, is known by the old database, which is open."""
    record_declared(
        state, RecordedStack("external", {**URLS, "core": conninfo(core_url)}, active=said)
    )
    for _ in range(2):
        keep_swapped(settings(state))
    with connect(core_url, application_name="tests") as session:
        assert served_pair(session) == kept
