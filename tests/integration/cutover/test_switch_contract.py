"""The switch that stands in for all in other tests keeps the contract of a real one."""

from collections.abc import Iterator

import httpx
import pytest

from ops.embedded.server import EmbeddedServer
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder
from tests.integration.cutover.small_backend import SmallBackend, serving
from tests.integration.cutover.stand_in_switch import StandInSwitch
from tests.integration.cutover.switch_contract import Installed, SwitchContract


class TestStandInSwitch(SwitchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def installed(
        cls, server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Installed]:
        state = StateFolder(tmp_path_factory.mktemp("stand_in") / "home")
        state.create()
        backend = SmallBackend({})
        with serving(backend) as url, StandInSwitch.of(server.url(), state, url) as switch:
            backend.answering = switch.answering
            switch.serve_active()
            yield Installed(switch)

    def test_requests_wait_while_they_are_held(self, installed: Installed) -> None:
        address = f"{installed.switch.public_address()}/ready"
        with installed.switch.hold(60.0) as held:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(address, timeout=0.2, trust_env=False, verify=False)
            held.release()
            assert httpx.get(address, timeout=20, trust_env=False, verify=False).is_success
            with pytest.raises(SigmaSightError, match="nothing is held"):
                held.flip(installed.other())
