"""The way back without a price: nothing that users wrote, before it or after, is lost silently."""

from itertools import cycle

import pytest

from ops.carrying.swap_price import SET_BACK
from ops.cutover import blind
from ops.embedded.server import EmbeddedServer
from ops.errors import ConfigurationError, RefusedError
from tests.databases import create_database, drop_databases, unreachable
from tests.integration.copy.owned_world import A_USER
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.cutover_damages import REMOVED
from tests.integration.cutover.small_system import SmallSystem
from tests.integration.cutover.stand_in_switch import PAIR

# Of two tags that both sides have, one is renamed in the new pair alone, one on both sides.
TAGS = "SELECT name FROM tags_v2 ORDER BY name"
BOTH = f"""
INSERT INTO tags_v2 (id, user_id, name) VALUES (gen_random_uuid(), '{A_USER}', 'one');
INSERT INTO tags_v2 (id, user_id, name) VALUES (gen_random_uuid(), '{A_USER}', 'two');
"""
RENAMED = "UPDATE tags_v2 SET name = '{}', updated_at = now() WHERE name = '{}';"
NEW = f"INSERT INTO tags_v2 (id, user_id, name) VALUES (gen_random_uuid(), '{A_USER}', 'three');"


@pytest.fixture
def system(make_system: MakeSystem) -> SmallSystem:
    """Users work in the new pair."""
    made = make_system()
    made.ask(made.old, BOTH)
    made.copy()
    assert made.swap().active == "new"
    return made


def test_what_users_wrote_before_it_is_brought_back_or_is_the_next_swaps_price(
    system: SmallSystem, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    written = RENAMED.format("uno", "one") + RENAMED.format("dos", "two") + NEW
    system.ask(system.core, written + "DELETE FROM tags_v2 WHERE name = 'core'")
    with unreachable(server, system.ai):
        assert system.rollback_blindly().active == "old"
        system.ask(system.old, RENAMED.format("deux", "two"))
    # Of the same swap, which was left before Core was restored to it.
    [(since,)] = system.ask(system.core, "SELECT recorded_at FROM ops.cutover_baseline_moment")
    (system.state.root / f"blind-rollback-{since:%Y%m%dT%H%M%S}.zip").write_text("an earlier one")
    with unreachable(server, system.ai), pytest.raises(ConfigurationError):
        system.rollback()
    with pytest.raises(RefusedError, match=r"not recorded yet.*run `sigmasight rollback`"):
        system.plan_swap()
    assert system.rollback().recovered == "a blind rollback was recorded"
    assert "4 rows were brought back, and 1 contradict the old database; all stay in" in caplog.text
    tags = {name for (name,) in system.ask(system.old, TAGS)}
    assert tags == {"satellite", "uno", "deux", "three"}

    assert system.plan_swap().price.by_table[SET_BACK] == 1
    with pytest.raises(RefusedError, match=f"{SET_BACK}, kept in its file, .*--accept-loss 1"):
        system.swap()
    assert system.swap(accept_loss=1).active == "new"
    assert {name for (name,) in system.ask(system.core, TAGS)} == tags


def test_what_a_database_that_was_made_anew_lacks_was_deleted_by_nobody(
    system: SmallSystem, server: EmbeddedServer, ai_template: str
) -> None:
    memories = system.ask(system.old, "SELECT count(*) FROM ai_memories")
    drop_databases(server, [system.ai])
    create_database(server, ai_template, name=system.ai.database)
    for refused in (system.plan_rollback, system.rollback, system.follow):
        with pytest.raises(RefusedError, match="ai_memories of the new pair was restored or made"):
            refused()
    assert system.rollback_blindly().active == "old"
    assert system.rollback().recovered == "a blind rollback was recorded"
    assert system.ask(system.old, "SELECT count(*) FROM ai_memories") == memories
    system.copied_before()
    assert system.swap().active == "new"
    assert system.ask(system.ai, "SELECT count(*) FROM ai_memories") == memories


def test_a_lock_that_a_lost_core_has_left_is_taken_off_blindly_alone(
    system: SmallSystem, server: EmbeddedServer, core_template: str
) -> None:
    """A Core that was made anew says that the old pair serves, and knows of no swap."""
    drop_databases(server, [system.core])
    create_database(server, core_template, name=system.core.database)
    system.state.write(PAIR, {"pair": "old"})
    system.switch.serve_active()
    for refused in (system.swap, system.rollback):
        with pytest.raises(RefusedError, match="lock of a swap that Core does not know"):
            refused()
        assert system.legacy_is() == "locked"
    assert system.rollback_blindly().changed
    assert system.legacy_is() == "open"
    assert not system.rollback_blindly().changed
    assert system.rollback().recovered == "a blind rollback was recorded"


def test_the_old_database_stays_open_while_backends_find_out_one_by_one(
    system: SmallSystem, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy that asks them by turns. The first that has seen it lets users write."""
    asked = list[bool]()

    def names(*_: object) -> bool:
        asked.append(len(asked) > 7 or next(turns))
        return asked[-1]

    def late(*_: object) -> None:
        assert asked[-4:] == [True] * 4, "as many as reach each of two backends"
        raise RefusedError("http://proxy serves from the new pair, not the old")

    turns = cycle([True, False])
    monkeypatch.setenv("BACKEND_REPLICAS", "2")
    monkeypatch.setattr(blind, "names", names)
    monkeypatch.setattr(blind, "ask_public", late)
    with unreachable(server, system.core):
        with pytest.raises(RefusedError, match=r"database is open, .* new pair, not the old"):
            system.rollback_blindly()
        assert system.legacy_is() == "open"


def test_it_is_locked_again_where_every_backend_still_reads_core(
    system: SmallSystem, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blind, "_NOTICED_SECONDS", 0.1)
    with unreachable(server, system.core):
        with pytest.raises(RefusedError, match="serves from the new pair, not the old"):
            system.rollback_blindly()
        assert system.legacy_is() == "locked"
    assert system.plan_rollback().price.total == 0, "it is as it was"
    with pytest.raises(RefusedError, match="run `sigmasight rollback` without --blind"):
        system.rollback_blindly()
    system.ask(system.core, REMOVED)
    with pytest.raises(RefusedError, match="removed by a cleanup on 05 January 2026"):
        system.rollback_blindly()
    system.ask(system.core, "UPDATE ops.tombstones SET state = 'running'")
    with pytest.raises(
        RefusedError, match="finish it by `sigmasight cleanup --execute --plan-id x`"
    ):
        system.rollback()
