"""There and back as often as users like: what is deleted on one side does not come back from the
other."""

from uuid import UUID, uuid4

import pytest

from tests.integration.copy.owned_world import A_USER
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.small_system import SmallSystem

TAG = f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{{}}', '{A_USER}', 'tag {{}}')"
TAGS = "SELECT id FROM tags_v2 WHERE name LIKE 'tag %'"


@pytest.fixture(scope="module")
def system(make_system: MakeSystem) -> SmallSystem:
    return make_system()


def test_a_row_that_was_carried_back_and_deleted_there_is_gone(system: SmallSystem) -> None:
    first, second, third = (uuid4() for _ in range(3))
    assert system.swap().active == "new"
    for key in (first, second):
        system.ask(system.core, TAG.format(key, key))
    assert system.rollback().carried == 2

    # A clock that is set back afterwards leaves the next swap its way back.
    system.ask(
        system.core,
        "UPDATE ops.cutovers SET ended_at = ended_at + interval '1 hour' WHERE kind = 'rollback'",
    )
    system.ask(system.old, f"DELETE FROM tags_v2 WHERE id = '{first}'")
    system.ask(system.old, TAG.format(third, third))
    assert system.swap().active == "new"
    assert _tags(system, "new") == {second, third}

    system.ask(system.core, f"DELETE FROM tags_v2 WHERE id = '{third}'")
    report = system.rollback()
    assert (report.carried, report.lost) == (1, 0)
    assert _tags(system, "old") == {second}
    assert system.swap().active == "new"
    assert _tags(system, "new") == {second}


def _tags(system: SmallSystem, pair: str) -> set[UUID]:
    return {key for (key,) in system.ask(system.core if pair == "new" else system.old, TAGS)}
