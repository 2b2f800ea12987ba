"""The gate: two backends that hold both pairs, real databases, and a proxy before them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.connection import connect, conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.embedded.server import EmbeddedServer
from ops.write_lock.lock import lock_and_prove, release_any_lock
from tests.api.backend import backend_process
from tests.conftest import create_database
from tests.integration.cutover.by_turns import by_turns
from tests.integration.cutover.switch_contract import Installed, SwitchContract, named
from tests.integration.serving.starting import eventually


@pytest.fixture(scope="module")
def installed(
    server: EmbeddedServer,
    core_template: str,
    ai_template: str,
    legacy_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installed]:
    templates = {"core": core_template, "ai": ai_template, "legacy": legacy_template}
    for name, template in templates.items():
        create_database(server, f"gate_{name}", template)
    core, ai, legacy = (server.url(f"gate_{name}") for name in templates)
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(legacy)}
    with ExitStack() as stack:
        backends = [
            stack.enter_context(backend_process(core, ai, _folder(tmp_path_factory), **told))
            for _ in range(2)
        ]
        address = stack.enter_context(by_turns([each.answering() for each in backends]))
        yield Installed(GateSwitch(core, legacy, "old", lambda: address))


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("gate")


class TestGateSwitch(SwitchContract):
    """Two replicas do what one backend does."""


def test_a_backend_that_was_killed_is_waited_for_before_users_have_to(
    installed: Installed, server: EmbeddedServer
) -> None:
    """Nobody knows of it but by its silence."""
    with connect(server.url("gate_core"), application_name="tests") as session:
        session.execute(
            "INSERT INTO ops.gate_replicas (replica, epoch, state, seen_at)"
            " VALUES (gen_random_uuid(), 0, 'open', clock_timestamp())"
        )
    switch, before = installed.switch, installed.switch.active()
    switch.stage(installed.other())
    with switch.hold(0.2, 1.5) as held:
        held.flip(before)
        assert held.release() < 1.5
    switch.retire(installed.other())
    installed.assert_served(before)


@pytest.mark.soak
def test_without_core_the_lock_decides_and_what_it_decided_stays(
    installed: Installed, server: EmbeddedServer
) -> None:
    """A blind rollback, as far as the backends are concerned: they are the same before and after,
    and when Core is back it is told before it is believed."""
    switch, legacy = installed.switch, server.url("gate_legacy")
    address = switch.public_address()
    if switch.active() == "old":
        switch.stage("new")
        with switch.hold(1.0, 60.0) as held:
            held.flip("new")
            lock_and_prove(legacy)
            held.release()
    else:
        lock_and_prove(legacy)
    with _away(server, "gate_core"):
        # What was read of Core is not believed for long, and legacy is locked: nobody is served.
        eventually(lambda: named(address) is None, seconds=60)
        release_any_lock(legacy)
        eventually(lambda: named(address) == "old", seconds=60)
    assert switch.active() == "new", "nobody has told Core"
    for _ in range(20):
        assert named(address) == "old"
        time.sleep(0.1)
    with switch.hold(1.0, 60.0) as held:
        held.flip("old")
        held.release()
    installed.assert_served("old")


@contextmanager
def _away(server: EmbeddedServer, name: str) -> Iterator[None]:
    """A database that nobody reaches, as if it were lost."""
    with connect(server.url(), application_name="tests", autocommit=True) as session:
        session.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        session.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
