"""The gate of the embedded target: one backend that holds both pairs, and its supervisor."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import URL

from ops.backend.supervised import SupervisedBackend
from ops.connection import conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.state_folder import StateFolder
from ops.write_lock.lock import lock_and_prove
from tests.integration.cutover.switch_contract import Installed, SwitchContract

ASKED = b"GET /ready HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Supervised(Installed):
    """A switch, and the backend behind it."""

    backend: SupervisedBackend
    legacy: URL


@pytest.fixture(scope="module")
def installed(
    databases: dict[str, URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervised]:
    core, ai, legacy = databases.values()
    told = {"DATABASE_URL": core, "AI_DATABASE_URL": ai, "LEGACY_DATABASE_URL": legacy}
    environment = {name: conninfo(url) for name, url in told.items()}
    environment |= {"PATH": os.environ["PATH"], "ACTIVE_PAIR": "gate"}
    backend = SupervisedBackend(StateFolder(tmp_path_factory.mktemp("supervised")))

    def start() -> None:
        backend.start(environment)
        backend.wait()

    switch = GateSwitch(core, legacy, "old", backend.address, start)
    try:
        switch.serve_active()
        yield Supervised(switch, backend, legacy)
    finally:
        backend.stop()


class TestEmbeddedGate(SwitchContract):
    """One backend does what several do."""

    @pytest.mark.parametrize("killed", ["process", "supervisor"])
    def test_callers_wait_in_the_socket_while_who_serves_them_is_killed(
        self, installed: Supervised, killed: str
    ) -> None:
        """In the middle of a hold. The pair changes all the same, and its backend answers them."""
        switch, before, after = installed.switch, installed.switch.active(), installed.other()
        parts = urlsplit(switch.public_address())
        switch.stage(after)
        with switch.hold(60.0) as held:
            process = getattr(installed.backend, killed)()
            process.kill()
            process.wait(10)
            with socket.create_connection((parts.hostname, parts.port), timeout=60) as caller:
                caller.sendall(ASKED)
                if after == "new":  # without a lock, who starts now does not believe it
                    lock_and_prove(installed.legacy)
                held.flip(after)
                held.release()
                assert f"x-sigmasight-pair: {after}".encode() in caller.recv(4096)
        switch.serve_active()
        switch.retire(before)
        installed.assert_served(after)
