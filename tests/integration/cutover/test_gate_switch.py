"""The gate: two backends that hold both pairs, real databases, and a proxy before them."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import URL

from ops.backend import acquaintance
from ops.connection import connect, conninfo
from ops.cutover.gate_switch import GateHold, GateSwitch
from ops.embedded.server import EmbeddedServer
from ops.errors import RefusedError
from ops.write_lock.lock import lock_and_prove, lock_state, lock_writes, release_any_lock
from tests.api.backend import backend_process
from tests.databases import NewDatabase, unreachable
from tests.integration.cutover.by_turns import by_turns
from tests.integration.cutover.switch_contract import Installed, SwitchContract, named
from tests.integration.serving.starting import eventually
from tests.stalling import stalling_proxy


@pytest.fixture(scope="module")
def installed(
    databases: dict[str, URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    core, ai, legacy = databases.values()
    app = _app_of(legacy)
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(app)}
    with ExitStack() as stack:
        backends = [
            stack.enter_context(backend_process(core, ai, _folder(tmp_path_factory), **told))
            for _ in range(2)
        ]
        address = stack.enter_context(by_turns([each.answering() for each in backends]))
        yield Installed(GateSwitch(core, legacy, "old", lambda: address))


def _app_of(legacy: URL) -> URL:
    """The address of a role that owns nothing and may write."""
    app = legacy.set(username="gate_app", password="gate")
    with connect(legacy, application_name="tests") as session:
        session.execute("CREATE ROLE gate_app LOGIN PASSWORD 'gate'")
        session.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gate_app"
        )
    return app


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("gate")


class TestGateSwitch(SwitchContract):
    """Two replicas do what one backend does."""


def test_a_backend_that_was_killed_is_waited_for_before_users_have_to(
    installed: Installed, databases: dict[str, URL]
) -> None:
    """Nobody knows of it but by its silence."""
    with connect(databases["core"], application_name="tests") as session:
        session.execute(
            "INSERT INTO ops.gate_replicas (replica, epoch, state, seen_at)"
            " VALUES (gen_random_uuid(), 0, 'open', clock_timestamp())"
        )
    switch, before = installed.switch, installed.switch.active()
    switch.stage(installed.other())
    with switch.hold(1.5) as held:
        held.flip(before)
        assert held.release() < 1.5
    switch.retire(installed.other())
    installed.assert_served(before)


def test_no_pair_is_changed_but_that_which_the_backends_have(
    installed: Installed,
    databases: dict[str, URL],
    new_database: NewDatabase,
    ai_template: str,
    old_shape_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy of a database has the same tables, and is told from it all the same."""
    core, ai, legacy = databases.values()
    address = installed.switch.public_address

    def gate(old: URL) -> GateSwitch:
        return GateSwitch(core, old, "old", address)

    other_ai, other_legacy = new_database(ai_template), new_database(old_shape_template)
    gate(legacy).refuse_strangers(ai, 2)
    for old, half, least, said in (
        (other_legacy, ai, 1, "2 of 2 backends have another old database .* LEGACY_DATABASE_URL"),
        (legacy, other_ai, 1, "2 of 2 backends have another AI database .* AI_DATABASE_URL"),
    ):
        with pytest.raises(RefusedError, match=said):
            gate(old).refuse_strangers(half, least)
    # What is waited for never comes; it is enough that both have said theirs.
    both = 2
    monkeypatch.setattr(
        acquaintance, "_have_said", lambda found, _: len(found) - found.count(None) == both
    )
    with pytest.raises(RefusedError, match="2 of 3 backends are at the gate"):
        gate(legacy).refuse_strangers(ai, 3)
    with connect(core, application_name="tests", autocommit=True) as session:
        session.execute(
            "INSERT INTO ops.gate_replicas (replica, epoch, state, seen_at)"
            " VALUES (gen_random_uuid(), 0, 'open', clock_timestamp() + interval '1 hour')"
        )
        with pytest.raises(RefusedError, match=r"1 of 3 .* from this release"):
            gate(legacy).refuse_strangers(ai, 2)
        session.execute("DELETE FROM ops.gate_replicas WHERE seen_at > clock_timestamp()")
    monkeypatch.undo()
    gate(legacy).refuse_strangers(ai, 2)


def test_streams_begin_again_where_the_command_that_ended_them_was_killed(
    installed: Installed, databases: dict[str, URL]
) -> None:
    def given() -> list[tuple[float]]:
        with connect(databases["core"], application_name="tests") as session:
            return session.execute("SELECT stream_seconds FROM ops.gate").fetchall()

    active = installed.switch.active()
    with installed.switch.ending_streams(60.0):
        assert given() == [(60.0,)]
        installed.assert_served(active)
    assert given() == [(0.0,)]
    child = os.fork()
    if child == 0:
        try:
            with installed.switch.ending_streams(60.0):
                os._exit(9)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    eventually(lambda: given() == [(0.0,)])


@pytest.fixture
def legacy(installed: Installed, databases: dict[str, URL]) -> URL:
    """The old database, which serves and is open."""
    switch, legacy = installed.switch, databases["legacy"]
    with switch.hold(60.0) as held:
        held.flip("old")
        held.release()
    release_any_lock(legacy)
    return legacy


def _lock(legacy: URL, held: GateHold) -> None:
    with connect(legacy, application_name="tests") as lock:
        lock_writes(lock, hold=held.epoch)


def _assert_opened(installed: Installed, legacy: URL) -> None:
    eventually(lambda: lock_state(legacy).state == "open")
    installed.assert_served("old")
    app = legacy.set(username="gate_app", password="gate")
    with connect(app, application_name="tests") as session:
        session.execute("UPDATE users SET updated_at = now()")


def test_a_swap_that_is_killed_before_the_flip_leaves_no_lock(
    installed: Installed, legacy: URL
) -> None:
    child = os.fork()
    if child == 0:
        try:
            with installed.switch.hold(60.0) as held:
                _lock(legacy, held)
                os._exit(9)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    _assert_opened(installed, legacy)


def test_a_swap_that_was_stopped_and_locks_late_leaves_no_lock(
    installed: Installed, legacy: URL
) -> None:
    """Whoever holds the requests has given it up by then, and taken off what was there."""
    with installed.switch.hold(0.5) as held:
        _lock(legacy, held)
        _assert_opened(installed, legacy)
        _lock(legacy, held)
        with pytest.raises(RefusedError, match="do not wait any more"):
            held.flip("new")
        _assert_opened(installed, legacy)


def test_the_lock_of_a_swap_that_succeeded_stays(installed: Installed, legacy: URL) -> None:
    """Also where it was killed before it could seal the lock."""
    with installed.switch.hold(60.0) as held:
        _lock(legacy, held)
        held.flip("new")
        held.release()
    installed.switch.retire("old")
    for _ in range(10):
        assert lock_state(legacy).state == "locked"
        time.sleep(0.1)
    installed.assert_served("new")


@pytest.mark.soak
def test_who_reads_from_a_backend_that_is_cut_from_core_reads_nothing_old_after_a_swap(
    installed: Installed, legacy: URL, databases: dict[str, URL], tmp_path: Path
) -> None:
    switch, app = installed.switch, legacy.set(username="gate_app", password="gate")
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(app)}
    with (
        stalling_proxy(databases["core"]) as proxy,
        backend_process(proxy.url, databases["ai"], tmp_path, **told) as cut,
    ):
        url = cut.answering()
        eventually(lambda: named(url) == "old")
        proxy.stall()
        with switch.hold(60.0) as held:
            _lock(legacy, held)
            held.flip("new")
            held.release()
        answer = httpx.get(f"{url}/ready", timeout=30)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "X-SigmaSight-Pair" not in answer.headers
    switch.retire("old")
    installed.assert_served("new")


@pytest.mark.soak
def test_without_core_the_lock_decides_and_what_it_decided_stays(
    installed: Installed, server: EmbeddedServer, databases: dict[str, URL]
) -> None:
    """A blind rollback, as far as the backends are concerned: they are the same before and after,
    and when Core is back it is told before it is believed."""
    switch, legacy = installed.switch, databases["legacy"]
    address = switch.public_address()
    if switch.active() == "old":
        switch.stage("new")
        with switch.hold(60.0) as held:
            held.flip("new")
            lock_and_prove(legacy)
            held.release()
    else:
        lock_and_prove(legacy)
    with unreachable(server, databases["core"]):
        # What was read of Core is not believed for long, and legacy is locked: nobody is served.
        eventually(lambda: named(address) is None, seconds=60)
        release_any_lock(legacy)
        eventually(lambda: named(address) == "old", seconds=60)
    assert switch.active() == "new", "nobody has told Core"
    for _ in range(20):
        assert named(address) == "old"
        time.sleep(0.1)
    with switch.hold(60.0) as held:
        held.flip("old")
        held.release()
    installed.assert_served("old")
