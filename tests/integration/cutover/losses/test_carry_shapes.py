"""Rows that users wrote, carried back into old databases with rules and triggers of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import URL
from test_carry_back import carry, locked, tried
from users_rows import (
    ALICE,
    APPLE,
    BOB,
    CHAT,
    GROWTH,
    TAGGED,
    TESLA,
    Pair,
    contents,
    export_losses,
    fill,
    reshape,
    rows_of,
    run,
)

from ops.carrying.baseline import record_baseline
from ops.carrying.carry_back import carrying_sessions
from ops.carrying.import_file import import_losses
from ops.cutover.rollback import Acceptance
from ops.embedded.server import EmbeddedServer
from ops.errors import RefusedError
from tests.databases import create_database
from tests.groups import soaked
from tests.integration.legacy_shape import make_legacy

__all__ = ["locked"]

NEW = uuid4()
TAG = "INSERT INTO tags_v2 (id, user_id, name, display_order) VALUES (%s, %s, %s, %s)"


@contextmanager
def shaped(legacy: URL, make: str, unmake: str) -> Iterator[None]:
    """The old database has something of its own meanwhile."""
    reshape(legacy, make)
    try:
        yield
    finally:
        reshape(legacy, unmake)


def trigger(body: str, when: str) -> tuple[str, str]:
    """How a trigger of the old database's own is made, and removed."""
    make = (
        "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} END $$; CREATE TRIGGER own {when} FOR EACH ROW EXECUTE FUNCTION own()"
    )
    return make, "DROP FUNCTION own() CASCADE"


def exchange_addresses(core: URL) -> None:
    run(core, "UPDATE users SET email = 'lent@example.com' WHERE id = %s", ALICE)
    run(core, "UPDATE users SET email = 'alice@example.com' WHERE id = %s", BOB)
    run(core, "UPDATE users SET email = 'bob@example.com' WHERE id = %s", ALICE)


def rename(core: URL) -> None:
    run(core, "UPDATE tags_v2 SET name = 'renamed' WHERE id = %s", GROWTH)


def reorder(core: URL) -> None:
    run(core, TAG, NEW, ALICE, "second", 0)
    run(core, "UPDATE tags_v2 SET display_order = 1 WHERE id = %s", GROWTH)


def replace_tag(core: URL) -> None:
    """A new tag of the same name takes the place of one that is in use."""
    run(core, "UPDATE tags_v2 SET name = 'old' WHERE id = %s", GROWTH)
    run(core, TAG, NEW, ALICE, "growth", 0)
    run(core, "UPDATE position_tags SET tag_id = %s WHERE id = %s", NEW, TAGGED)
    run(core, "DELETE FROM tags_v2 WHERE id = %s", GROWTH)


def exchange_tags(core: URL) -> None:
    """What only one row may have is no text and no number."""
    other = uuid4()
    run(core, TAG, NEW, ALICE, "other", 1)
    run(core, "INSERT INTO position_tags VALUES (%s, %s, %s)", other, APPLE, NEW)
    run(core, "INSERT INTO position_tags VALUES (%s, %s, %s)", uuid4(), TESLA, NEW)


HELD: dict[str, tuple[str, str, Callable[[URL], None]]] = {
    "addresses must be ones": (
        "ALTER TABLE users ADD CONSTRAINT own CHECK (email LIKE '%@%')",
        "ALTER TABLE users DROP CONSTRAINT own",
        exchange_addresses,
    ),
    "names are short": (
        "ALTER TABLE tags_v2 ALTER name TYPE varchar(16)",
        "ALTER TABLE tags_v2 ALTER name TYPE varchar(50)",
        rename,
    ),
    "places are unique": (
        "CREATE UNIQUE INDEX own ON tags_v2 (user_id, display_order)",
        "DROP INDEX own",
        reorder,
    ),
    "nothing": ("SELECT", "SELECT", replace_tag),
    "a counter": (
        *trigger(
            "UPDATE tags_v2 SET usage_count = usage_count + 1 WHERE id = NEW.tag_id; RETURN NULL;",
            "AFTER INSERT OR UPDATE ON position_tags",
        ),
        replace_tag,
    ),
}


@pytest.mark.parametrize(("make", "unmake", "users_work"), HELD.values(), ids=HELD)
def test_what_it_can_hold_is_carried(
    pair: Pair, locked: URL, make: str, unmake: str, users_work: Callable[[URL], None]
) -> None:
    users_work(pair.core)
    with shaped(locked, make, unmake):
        assert carry(pair, locked).total == 0
        assert contents(locked, locked) == contents(*pair)


def test_a_character_that_its_encoding_lacks_is_the_price(
    pair: Pair, server: EmbeddedServer, tmp_path: Path
) -> None:
    narrow = create_database(server, encoding="LATIN1")
    make_legacy(narrow)
    fill(narrow, narrow)
    reshape(narrow)
    run(pair.core, TAG, NEW, ALICE, "snow \u2603", 1)
    run(pair.core, "UPDATE users SET full_name = 'Zo\u00eb' WHERE id = %s", ALICE)
    told = "the table cannot hold it as it is, its encoding being LATIN1"
    price = carry(pair, narrow)
    assert (price.by_table, price.example) == ({"tags_v2": 1}, f"{NEW}: {told}")
    names = "SELECT full_name FROM users WHERE id = %s"
    assert rows_of(narrow, names, ALICE) == [("Zo\u00eb",)]

    total = export_losses(*pair, tmp_path / "losses")
    reshape(narrow, lock=False)
    report = import_losses(tmp_path / "losses", narrow, narrow)
    assert (total, report.written, report.conflicts) == (1, 0, 1)
    assert report.conflicts_file is not None
    assert told in report.conflicts_file.read_text()


_CODES = ["57014", *soaked("42501", "40001", "53100", "45000", "SS001", "0A000", "55000", "XX000")]


@pytest.mark.parametrize("code", _CODES)
def test_a_trigger_may_refuse_a_row_by_any_code(pair: Pair, locked: URL, code: str) -> None:
    refusing = f"RAISE EXCEPTION 'we say no' USING ERRCODE = '{code}';"
    run(pair.core, TAG, NEW, ALICE, "refused", 1)
    run(pair.core, "UPDATE users SET full_name = 'Alice B.' WHERE id = %s", ALICE)
    with shaped(locked, *trigger(refusing, "BEFORE INSERT ON tags_v2")):
        price = carry(pair, locked)
        assert price.by_table == {"tags_v2": 1}
        assert price.example == f"{NEW}: we say no"
        assert rows_of(locked, "SELECT full_name FROM users WHERE id = %s", ALICE) == [
            ("Alice B.",)
        ]


def test_rows_that_stand_alone_exchange_what_only_one_may_have(pair: Pair, locked: URL) -> None:
    insert = "INSERT INTO position_tags (id, position_id, tag_id) VALUES ('{}', '{}', '{}')"
    other = uuid4()
    run(pair.core, insert.format(other, TESLA, GROWTH))
    record_baseline(*pair)
    with shaped(locked, insert.format(other, TESLA, GROWTH), "SELECT"):
        run(pair.core, "DELETE FROM position_tags")
        run(pair.core, insert.format(other, APPLE, GROWTH))
        run(pair.core, insert.format(TAGGED, TESLA, GROWTH))
        assert carry(pair, locked).total == 0
        assert contents(locked, locked) == contents(*pair)


def test_what_triggers_change_beside_is_the_price(pair: Pair, locked: URL) -> None:
    """A time alone is none."""
    body = (
        "UPDATE positions SET notes = 'seen' WHERE id <> NEW.id; DELETE FROM ai_feedback;"
        " UPDATE users SET updated_at = now(); RETURN NULL;"
    )
    run(pair.core, "UPDATE positions SET quantity = 7 WHERE id = %s", APPLE)
    with shaped(locked, *trigger(body, "AFTER UPDATE OF quantity ON positions")):
        price = tried(pair, locked)
        unasked = carry(pair, locked)
        assert (unasked.by_triggers, unasked.carried) == (price.by_triggers, ())
        assert rows_of(locked, "SELECT 1 FROM positions WHERE quantity = 7 OR notes = 'seen'") == []
        assert tried(pair, locked).carried == price.carried != ()
    assert price.by_triggers == {"positions": 1, "ai_feedback": 1}
    assert "change others: positions 1, ai_feedback 1" in "\n".join(price.lines())
    assert rows_of(locked, "SELECT notes FROM positions WHERE id = %s", TESLA) == [(None,)]
    with pytest.raises(RefusedError, match=r"2 rows beside those .*--accept-loss 2"):
        Acceptance(export=Path("any")).check(price)
    Acceptance(2).check(price)


def test_what_triggers_take_away_again_is_the_price(pair: Pair, locked: URL) -> None:
    """Or the next swap would take it for deleted by users, and delete it in Core too."""
    body = (
        "DELETE FROM agent_messages WHERE conversation_id = NEW.conversation_id AND id <> NEW.id;"
        " RETURN NULL;"
    )
    run(
        pair.core,
        "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
        " SELECT gen_random_uuid(), %s, 'user', n::text, '[]', now() FROM generate_series(1, 2) n",
        CHAT,
    )
    with shaped(locked, *trigger(body, "AFTER INSERT ON agent_messages")):
        price = tried(pair, locked)
    assert [(one.table, one.total) for one in price.tables] == [("agent_messages", 1)]
    assert "another row of it" in price.example
    assert price.by_triggers == {"agent_messages": 2}


def test_a_row_that_is_made_anew_is_carried_with_its_time(pair: Pair, locked: URL) -> None:
    """One that was only changed keeps the old database's."""
    tags = "SELECT name, created_at > now() - interval '1 hour' FROM tags_v2 ORDER BY name"
    run(pair.core, "DELETE FROM tags_v2 WHERE id = %s", GROWTH)
    run(pair.core, TAG, GROWTH, ALICE, "anew", 0)
    run(pair.core, "UPDATE users SET full_name = 'B', created_at = created_at - interval '1 day'")
    assert carry(pair, locked).total == 0
    assert rows_of(locked, tags) == rows_of(pair.core, tags) == [("anew", True)]
    users = "SELECT DISTINCT created_at::date::text FROM users"
    assert rows_of(locked, users) == [("2025-12-01",)] != rows_of(pair.core, users)


def test_a_whole_number_is_one_however_it_is_written(pair: Pair, locked: URL) -> None:
    run(pair.core, "UPDATE positions SET quantity = 42")
    kind = "ALTER TABLE positions ALTER quantity TYPE {}"
    with shaped(locked, kind.format("integer"), kind.format("numeric(16, 4)")):
        assert carry(pair, locked).total == 0
        assert rows_of(locked, "SELECT DISTINCT quantity FROM positions") == [(42,)]


def test_what_was_refused_for_another_row_is_tried_again(pair: Pair, locked: URL) -> None:
    other = uuid4()
    named = "UPDATE tags_v2 SET name = %s WHERE id = %s"
    tagging = "INSERT INTO position_tags (id, position_id, tag_id) VALUES (%s, %s, %s)"
    with (
        shaped(
            locked,
            "ALTER TABLE tags_v2 ALTER name TYPE varchar(16)",
            "ALTER TABLE tags_v2 ALTER name TYPE varchar(50)",
        ),
        carrying_sessions(*pair, locked) as carrying,
    ):
        run(pair.core, TAG, NEW, ALICE, "longer than sixteen", 1)
        run(pair.core, tagging, other, TESLA, NEW)
        assert carrying.carry_back().by_table == {"tags_v2": 1, "position_tags": 1}
        run(pair.core, named, "short", NEW)
        assert carrying.carry_back().total == 0
        assert contents(locked, locked) == contents(*pair)


def test_what_users_typed_is_not_repeated_in_a_reason(pair: Pair, locked: URL) -> None:
    run(pair.core, "UPDATE positions SET notes = 'my secret' WHERE id = %s", APPLE)
    with shaped(
        locked,
        "ALTER TABLE positions ALTER notes TYPE integer USING NULL",
        "ALTER TABLE positions ALTER notes TYPE text",
    ):
        price = carry(pair, locked)
    assert price.example == f"{APPLE}: a value is none that its column takes (22P02)"


def test_refused_rows_are_not_tried_again_while_users_wait(pair: Pair, locked: URL) -> None:
    make, unmake = trigger(
        "PERFORM nextval('tried'); RAISE EXCEPTION 'no';", "BEFORE INSERT ON tags_v2"
    )
    tried = "SELECT last_value FROM tried"
    run(
        pair.core,
        "INSERT INTO tags_v2 (id, user_id, name, display_order)"
        " SELECT gen_random_uuid(), %s, 'new ' || n, n FROM generate_series(1, 1200) AS n",
        ALICE,
    )
    with (
        shaped(locked, f"CREATE SEQUENCE tried; {make}", f"{unmake}; DROP SEQUENCE tried"),
        carrying_sessions(*pair, locked) as carrying,
    ):
        assert carrying.carry_back().by_table == {"tags_v2": 1200}
        before = rows_of(locked, tried)
        assert carrying.carry_back().by_table == {"tags_v2": 1200}
        assert rows_of(locked, tried) == before
    assert carry(pair, locked).total == 0
    assert contents(locked, locked) == contents(*pair)
