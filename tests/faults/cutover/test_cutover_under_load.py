"""A swap, a rollback and a second swap while fifty users ask: not one request is lost."""

from pathlib import Path

import pytest

from ops.cutover.plan import SWAP_STEPS
from tests.faults.cutover.load import USERS, Load
from tests.faults.cutover.scene import CutoverScene, losses

MOST_HELD_SECONDS = 10.0  # against a hang; what it takes is printed, and measured in benchmarks/


@pytest.mark.soak
def test_no_request_is_lost_through_swap_rollback_and_second_swap(
    swappable: CutoverScene, tmp_path: Path
) -> None:
    core, legacy, held = swappable.stage.url("core"), swappable.stage.url("legacy"), []
    with Load(swappable.address, swappable.password) as load:
        for words in (("swap",), losses(tmp_path), ("swap",)):
            swappable.stage.must(*words)
            held.append(swappable.cutover().held_seconds)
            load.wait_for(300)
    assert load.faults() == {}
    assert load.wrongly_written(core, legacy) == []
    assert {tuple(load.pairs_of(user)) for user in range(USERS)} == {("old", "new", "old", "new")}
    assert {each.kind for each in load.answers} >= {
        "read",
        "login",
        "chat",
        "insert",
        "put",
        "delete",
    }
    assert all(seconds is not None and seconds < MOST_HELD_SECONDS for seconds in held), held
    swappable.assert_settled("new")
    assert set(swappable.cutover().timings) == set(SWAP_STEPS)
