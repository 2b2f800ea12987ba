"""An import overwrites nothing that somebody else wrote, and says what it left."""

import json
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.engine import URL
from users_rows import (
    ALICE,
    ANSWER,
    APPLE,
    BOB,
    BOOK,
    CHAT,
    TAGGED,
    TESLA,
    Pair,
    contents,
    export_losses,
    fill,
    rows_of,
    run,
)

from ops.carrying.import_file import ImportReport, import_losses
from tests.groups import soaked_unless


def _conflicts(report: ImportReport) -> list[dict[str, object]]:
    assert report.conflicts_file is not None
    lines = report.conflicts_file.read_text().splitlines()
    assert len(lines) == report.conflicts
    return [json.loads(line) for line in lines]


def test_what_an_old_database_cannot_hold_is_a_conflict_and_the_rest_is_imported(
    pair: Pair, old_shape: URL, tmp_path: Path
) -> None:
    fill(old_shape, old_shape)
    for statement in (
        "DROP TABLE ai_feedback",
        "ALTER TABLE users ALTER full_name TYPE varchar(10)",
        "ALTER TABLE positions ALTER quantity TYPE numeric(16, 2), DROP notes",
        "ALTER TABLE portfolio_target_prices ADD needed text NOT NULL",
    ):
        run(old_shape, statement)
    run(pair.core, "UPDATE users SET full_name = 'A very long name' WHERE id = %s", ALICE)
    run(pair.core, "UPDATE users SET full_name = 'Robert' WHERE id = %s", BOB)
    run(pair.core, "UPDATE positions SET quantity = 1.125 WHERE id = %s", APPLE)
    run(pair.core, "UPDATE positions SET notes = 'n' WHERE id = %s", TESLA)
    run(
        pair.core,
        "INSERT INTO portfolio_target_prices (id, portfolio_id, symbol, current_price, created_at,"
        " updated_at) VALUES (gen_random_uuid(), %s, 'AAPL', 1, now(), now())",
        BOOK,
    )
    run(pair.ai, "UPDATE ai_feedback SET rating = 'down'")
    export_losses(*pair, tmp_path / "losses")

    report = import_losses(tmp_path / "losses", old_shape, old_shape)

    reasons = {(each["table"], each["key"]): each["reason"] for each in _conflicts(report)}
    assert report.written == 1
    assert rows_of(old_shape, "SELECT full_name FROM users ORDER BY email") == [
        ("Alice",),
        ("Robert",),
    ]
    assert reasons.pop(("users", str(ALICE))) == ("value too long for type character varying(10)")
    assert reasons.pop(("positions", str(APPLE))) == "the table cannot hold it as it is"
    assert reasons.pop(("positions", str(TESLA))) == "the table cannot hold it as it is"
    assert sorted(str(reason) for reason in reasons.values()) == [
        'null value in column "needed" of relation "portfolio_target_prices" violates not-null'
        " constraint",
        "there is no such table",
    ]
    assert rows_of(old_shape, "SELECT count(*) FROM positions WHERE quantity = 1.13") == [(0,)]


Step = tuple[int, str, tuple[object, ...]]  # 0: Core, 1: AI
_NEW_TAG = UUID(int=999)
_CONFLICTS: dict[str, tuple[list[Step], list[Step], str]] = {
    "changed on both sides": (
        [(0, "UPDATE positions SET quantity = 7 WHERE id = %s", (APPLE,))],
        [(0, "UPDATE positions SET quantity = 8, updated_at = now() WHERE id = %s", (APPLE,))],
        "the row was changed meanwhile",
    ),
    "changed here, deleted there": (
        [(0, "UPDATE agent_messages SET content = 'x' WHERE id = %s", (ANSWER,))],
        [(0, "DELETE FROM agent_messages WHERE id = %s", (ANSWER,))],
        "the row was deleted meanwhile",
    ),
    "deleted here, changed there": (
        [(1, "DELETE FROM ai_memories", ())],
        [(1, "UPDATE ai_memories SET content = 'x'", ())],
        "the row was changed meanwhile",
    ),
    "one id, two rows": (
        [(0, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'a')", (_NEW_TAG, BOB))],
        [(0, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'b')", (_NEW_TAG, BOB))],
        "there is another row of this id",
    ),
    "a key that is taken": (
        [(0, "UPDATE users SET email = 'x@example.com' WHERE id = %s", (ALICE,))],
        [(0, "UPDATE users SET email = 'x@example.com' WHERE id = %s", (BOB,))],
        'duplicate key value violates unique constraint "ix_users_email"',
    ),
    "a parent that has gone": (
        [
            (
                0,
                "INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)"
                " VALUES (%s, %s, 'user', '[]', now())",
                (_NEW_TAG, CHAT),
            )
        ],
        [(0, "DELETE FROM agent_conversations WHERE id = %s", (CHAT,))],
        'insert or update on table "agent_messages" violates foreign key constraint'
        ' "fk_agent_messages_conversation_id_agent_conversations"',
    ),
    "a deletion that would reach further": (
        [(0, "DELETE FROM agent_conversations WHERE id = %s", (CHAT,))],
        [
            (
                0,
                "INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)"
                " VALUES (%s, %s, 'user', '[]', now())",
                (_NEW_TAG, CHAT),
            )
        ],
        "other rows of that database refer to it",
    ),
    "a deletion that a key forbids": (
        [
            (0, "DELETE FROM position_tags", ()),
            (0, "DELETE FROM positions", ()),
            (0, "DELETE FROM portfolios", ()),
        ],
        [
            (
                0,
                "INSERT INTO equity_changes (id, portfolio_id, change_type, amount, change_date,"
                " created_by_user_id, created_at, updated_at)"
                " VALUES (%s, %s, 'CONTRIBUTION', 1, '2025-12-01', %s, now(), now())",
                (_NEW_TAG, BOOK, ALICE),
            )
        ],
        'update or delete on table "portfolios" violates foreign key constraint'
        ' "fk_equity_changes_portfolio_id_portfolios" on table "equity_changes"',
    ),
}


# What another case shows as well: the same reason, or the word of the server.
_AT_LENGTH = {"deleted here, changed there", "a deletion that a key forbids"}


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        pytest.param(*case, id=name, marks=soaked_unless(name not in _AT_LENGTH))
        for name, case in _CONFLICTS.items()
    ],
)
def test_what_contradicts_the_target_is_reported_and_overwrites_nothing(
    pair: Pair, other: Pair, tmp_path: Path, here: list[Step], there: list[Step], reason: str
) -> None:
    run(pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'free')", TAGGED, BOB)
    for half, query, values in here:
        run(pair[half], query, *values)
    for half, query, values in there:
        run(other[half], query, *values)
    export_losses(*pair, tmp_path / "losses")
    before = contents(*other)

    report = import_losses(tmp_path / "losses", *other)

    (conflict,) = _conflicts(report)
    assert conflict["reason"] == reason
    assert stat.S_IMODE((tmp_path / "losses.conflicts").stat().st_mode) == 0o600
    after = contents(*other)
    table = str(conflict["table"])
    key = UUID(str(conflict["key"]))
    assert {row for row in after[table] if row[0] == key} == {
        row for row in before[table] if row[0] == key
    }
    # What contradicts nothing was imported beside it, and another time is no different.
    assert TAGGED in {row[0] for row in after["tags_v2"]}
    again = import_losses(tmp_path / "losses", *other)
    assert (again.written, _conflicts(again)) == (0, [conflict])
    assert contents(*other) == after


def test_conflicts_that_are_settled_are_no_longer_listed(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    run(pair.core, "UPDATE users SET email = 'x@example.com' WHERE id = %s", ALICE)
    run(other.core, "UPDATE users SET email = 'x@example.com' WHERE id = %s", BOB)
    export_losses(*pair, tmp_path / "losses")
    assert import_losses(tmp_path / "losses", *other).conflicts == 1

    run(other.core, "UPDATE users SET email = 'bob@example.com' WHERE id = %s", BOB)

    assert import_losses(tmp_path / "losses", *other).conflicts == 0
    assert not (tmp_path / "losses.conflicts").exists()
    assert contents(*other) == contents(*pair)


def test_a_row_that_nobody_touched_since_the_swap_gives_way(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    run(
        other.core,
        "UPDATE positions SET quantity = 5, updated_at = '2025-12-02' WHERE id = %s",
        APPLE,
    )
    run(pair.core, "UPDATE positions SET quantity = 7 WHERE id = %s", APPLE)
    export_losses(*pair, tmp_path / "losses")

    assert import_losses(tmp_path / "losses", *other).written == 1
    assert contents(*other) == contents(*pair)


def test_rows_that_make_room_for_each_other_are_imported_in_any_order(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    # A name passes from a row that goes to one that is renamed, and from that to a new one.
    run(pair.core, "DELETE FROM position_tags")
    run(pair.core, "DELETE FROM tags_v2")
    run(
        pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'growth')", APPLE, ALICE
    )
    run(pair.core, "UPDATE users SET email = 'free@example.com' WHERE id = %s", ALICE)
    run(pair.core, "UPDATE users SET email = 'alice@example.com' WHERE id = %s", BOB)
    export_losses(*pair, tmp_path / "losses")

    assert import_losses(tmp_path / "losses", *other).conflicts == 0
    assert contents(*other) == contents(*pair)


def test_rows_of_a_row_that_is_not_imported_are_not_left_without_it(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    user = "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
    user += " updated_at) VALUES (%s, 'carol@example.com', 'c', 'Carol', true, now(), now())"
    carol = uuid4()
    run(pair.core, user, carol)
    run(other.core, user, uuid4())
    run(
        pair.core,
        "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        " metadata) VALUES (%s, %s, 'green', 'openai', now(), now(), '{}')",
        carol,
        carol,
    )
    run(
        pair.ai,
        "INSERT INTO ai_memories (id, user_id, scope, content) VALUES (%s, %s, 'user', 'x')",
        carol,
        carol,
    )
    export_losses(*pair, tmp_path / "losses")
    before = contents(*other)

    report = import_losses(tmp_path / "losses", *other)

    assert {each["table"]: each["reason"] for each in _conflicts(report)} == {
        "users": 'duplicate key value violates unique constraint "ix_users_email"',
        "agent_conversations": "its row of users was not imported",
        "ai_memories": "its row of users was not imported",
    }
    assert contents(*other) == before
