"""The gate of a backend that reaches all its databases through a transaction pooler."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.connection import conninfo
from ops.cutover.gate_switch import GateSwitch
from tests.api.backend import backend_process
from tests.integration.cutover.switch_contract import Installed, SwitchContract
from tests.pooling import pooled, pooling

pytestmark = [pooled, pytest.mark.soak]


@pytest.fixture(scope="module")
def installed(
    databases: dict[str, URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    core, ai, legacy = databases.values()
    folder: Path = tmp_path_factory.mktemp("pooled")
    with pooling(core, "transaction", default_pool_size=4) as pooler:
        told = {"LEGACY_DATABASE_URL": conninfo(legacy.set(port=pooler.port))}
        new = core.set(port=pooler.port), ai.set(port=pooler.port)
        with backend_process(*new, folder, ACTIVE_PAIR="gate", **told) as backend:
            address = backend.answering()
            yield Installed(GateSwitch(core, legacy, "old", lambda: address))


class TestGateBehindPooler(SwitchContract):
    """What `LISTEN` would tell at once is read half a second later."""
