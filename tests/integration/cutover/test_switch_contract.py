"""The switch of the embedded target, and the one that stands in for all in other tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair
from ops.cutover.embedded_switch import EmbeddedSwitch
from ops.errors import SigmaSightError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.integration.cutover.small_backend import SmallBackend, serving
from tests.integration.cutover.stand_in_switch import StandInSwitch
from tests.integration.cutover.switch_contract import Installed, SwitchContract
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT

_ADDRESS = "postgresql://owner:p@127.0.0.1:1"


@dataclass(frozen=True)
class SmallEmbeddedSwitch(EmbeddedSwitch):
    """The embedded target's, with a backend that starts at once and needs no database."""

    @property
    def _backend(self) -> SupervisedBackend:
        return SupervisedBackend(self.settings.state, APPLICATION)

    def _environment(self, pair: Pair) -> dict[str, str]:
        return ENVIRONMENT


class TestEmbeddedSwitch(SwitchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def installed(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
        given = {
            "SIGMASIGHT_HOME": tmp_path_factory.mktemp("embedded") / "home",
            "DATABASE_URL": f"{_ADDRESS}/core",
            "AI_DATABASE_URL": f"{_ADDRESS}/ai",
            "LEGACY_DATABASE_URL": f"{_ADDRESS}/legacy",
        }
        switch = SmallEmbeddedSwitch(OperatorSettings.model_validate(given), None)
        switch.settings.state.create()
        try:
            switch.serve_active()
            yield Installed(switch)
        finally:
            switch._backend.stop()


class TestStandInSwitch(SwitchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def installed(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
        state = StateFolder(tmp_path_factory.mktemp("stand_in") / "home")
        state.create()
        backend = SmallBackend({})
        with serving(backend) as url:
            switch = StandInSwitch(state, url)
            backend.answering = switch.answering
            switch.serve_active()
            yield Installed(switch)

    def test_requests_wait_while_they_are_held(self, installed: Installed) -> None:
        address = f"{installed.switch.public_address()}/ready"
        with installed.switch.hold(1.0, 60.0) as held:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(address, timeout=0.2, trust_env=False, verify=False)
            held.release()
            assert httpx.get(address, timeout=20, trust_env=False, verify=False).is_success
            with pytest.raises(SigmaSightError, match="nothing is held"):
                held.flip(installed.other())
