"""The gate: two backends that hold both pairs, real databases, and a proxy before them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.gate.serving_pair import Pair
from ops.connection import conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.embedded.server import EmbeddedServer
from tests.api.backend import backend_process
from tests.conftest import create_database
from tests.integration.cutover.by_turns import by_turns
from tests.integration.cutover.switch_contract import Installed, SwitchContract


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
        yield Installed(GateSwitch(core, address, _old))


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("gate")


def _old() -> Pair:
    return "old"


class TestGateSwitch(SwitchContract):
    """Two replicas do what one backend does."""
