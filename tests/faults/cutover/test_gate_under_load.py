"""The same users before two backends at the gate: a swap, a rollback and a second swap lose none of
their requests, and replace no process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.books.run_lock import exclusive_run
from ops.connection import conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.cutover.installation import Installation
from ops.cutover.rollback import Acceptance, rollback
from ops.cutover.swap import swap
from ops.endpoints import Endpoints
from ops.settings import OperatorSettings
from ops.write_lock.lock import lock_state
from tests.api.backend import backend_process
from tests.faults.cutover.load import USERS, Load
from tests.faults.cutover.scene import CutoverScene
from tests.faults.cutover.slow_model import slow_model
from tests.integration.cutover.by_turns import by_turns

pytestmark = pytest.mark.soak
BACKENDS = 3  # with the scene's own, which serves nobody here
MOST_HELD_SECONDS = 5.0  # as by default: a hold that takes longer is none


@contextmanager
def at_the_gate(scene: CutoverScene, folder: Path) -> Iterator[GateSwitch]:
    """Two backends on the scene's databases, and a proxy before them."""
    core, ai, legacy = (scene.stage.url(half) for half in ("core", "ai", "legacy"))
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(legacy)}
    told["BACKEND_REPLICAS"] = str(BACKENDS)
    with ExitStack() as stack:
        told |= stack.enter_context(slow_model())
        backends = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            one = backend_process(core, ai, folder / name, **told)
            backends.append(stack.enter_context(one))
        address = stack.enter_context(by_turns([each.answering() for each in backends]))
        yield GateSwitch(core, legacy, "old", lambda: address)


def test_no_request_is_lost_through_swap_rollback_and_second_swap(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    settings = OperatorSettings(SIGMASIGHT_HOME=swappable.stage.home, BACKEND_REPLICAS=BACKENDS)
    core, ai, legacy = (swappable.stage.url(half) for half in ("core", "ai", "legacy"))
    endpoints, held = Endpoints(core, ai, legacy, "embedded"), []
    with (
        at_the_gate(swappable, tmp_path) as switch,
        Load(switch.public_address(), swappable.password) as load,
    ):
        for command in (swap, rollback, swap, rollback):
            with exclusive_run(core) as fence:
                one = Installation(settings, endpoints, switch, fence, stream_seconds=1.0)
                found = swap(one) if command is swap else rollback(one, Acceptance(10**6))
            held.append(found.held_seconds)
            load.wait_for(300)
            assert switch.active() == found.active
            assert lock_state(legacy).any_locked == (found.active == "new")
    assert load.faults() == {}
    assert load.wrongly_written(legacy, core) == []
    assert load.broken_off
    met = {tuple(load.pairs_of(user)) for user in range(USERS)}
    assert met == {("old", "new", "old", "new", "old")}
    assert max(held) < MOST_HELD_SECONDS, held
