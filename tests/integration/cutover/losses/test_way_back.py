"""Before a swap the old database is asked whether it would take users' rows back."""

import pytest
from sqlalchemy.engine import URL
from users_rows import CHAT, Pair, contents, fill, rows_of, run

from ops.carrying.way_back import try_way_back


def test_a_made_up_row_of_each_table_comes_and_goes_without_a_trace(
    pair: Pair, legacy: URL
) -> None:
    before = contents(legacy, legacy)

    found = try_way_back(*pair, legacy)

    assert found.refused == {}
    assert set(found.untried) == {
        "equity_changes",
        "position_realized_events",
        "portfolio_target_prices",
    }
    assert set(found.untried.values()) == {"there is no row yet"}
    assert contents(legacy, legacy) == before


_OBSTACLES = {
    "a NOT NULL that only the old database has": (
        "ALTER TABLE agent_messages ADD COLUMN shop text; UPDATE agent_messages SET shop = '';"
        " ALTER TABLE agent_messages ALTER shop SET NOT NULL",
        "ALTER TABLE agent_messages DROP COLUMN shop",
        {"agent_messages": 'inserted: null value in column "shop" of relation "agent_messages"'},
    ),
    "a rule that forbids deletions": (
        "CREATE TABLE kept (chat uuid REFERENCES agent_conversations);"
        " CREATE RULE no_deletion AS ON DELETE TO agent_conversations DO INSTEAD NOTHING",
        "DROP RULE no_deletion ON agent_conversations; DROP TABLE kept",
        {"agent_conversations": "deleted: other rows of that database refer to it"},
    ),
}


@pytest.mark.parametrize(("make", "unmake", "said"), _OBSTACLES.values(), ids=_OBSTACLES)
def test_what_the_old_database_would_not_take_is_named(
    pair: Pair, legacy: URL, make: str, unmake: str, said: dict[str, str]
) -> None:
    before = contents(legacy, legacy)
    run(legacy, make)
    try:
        found = try_way_back(*pair, legacy).refused
    finally:
        run(legacy, unmake)
    (table, reason), *_of_its_children = found.items()
    assert said[table] in reason
    assert contents(legacy, legacy) == before


def test_a_table_with_triggers_of_its_own_is_named_not_tried(pair: Pair, legacy: URL) -> None:
    run(
        legacy,
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''tried''; END'",
    )
    run(
        legacy,
        "CREATE TRIGGER noting BEFORE INSERT ON agent_conversations EXECUTE FUNCTION noted()",
    )
    try:
        found = try_way_back(*pair, legacy)
    finally:
        run(legacy, "DROP FUNCTION noted CASCADE")
    assert found.untried["agent_conversations"] == "it has triggers of its own (noting)"
    assert found.refused == {}
    assert rows_of(legacy, "SELECT id FROM agent_conversations") == [(CHAT,)]


def test_an_old_database_without_pgvector_is_asked_too(pair: Pair, old_shape: URL) -> None:
    fill(old_shape, old_shape)
    run(old_shape, "DROP EXTENSION vector CASCADE; ALTER TABLE ai_kb_documents ADD embedding text")
    found = try_way_back(*pair, old_shape)
    assert found.refused == {}
    assert "ai_kb_documents" not in found.untried


def test_a_table_whose_ids_are_no_uuids_takes_nothing_back(pair: Pair, old_shape: URL) -> None:
    run(old_shape, "ALTER TABLE ai_memories ALTER id DROP DEFAULT, ALTER id TYPE text")
    assert try_way_back(*pair, old_shape).refused == {"ai_memories": "its id is no uuid there"}


def test_a_database_that_quotes_all_names_is_asked_too(pair: Pair, old_shape: URL) -> None:
    fill(old_shape, old_shape)
    run(old_shape, f"ALTER DATABASE {old_shape.database} SET quote_all_identifiers = on")
    found = try_way_back(*pair, old_shape)
    assert found.refused == {}
    assert set(found.untried.values()) == {"there is no row yet"}
