"""Users' rows from an old database that is not like ours: moved, or rejected and told."""

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.assessment import assess
from ops.carrying.swap_price import swap_price
from ops.content_hash import canonical
from ops.copy import copy_delta
from ops.errors import BadInputError
from tests.groups import soaked
from tests.integration.copy.conftest import Run
from tests.integration.copy.owned_world import (
    A_TAG,
    A_USER,
    ANSWER,
    B_POSITION,
    B_TAG,
    B_USER,
    FEEDBACK,
    ID,
    MEMORY,
    OWNED,
    ROWS,
    TALK,
    copied,
    counts,
)

NO_RULES = """
DO $$ DECLARE k record; BEGIN
    FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
        WHERE contype IN ('f', 'c', 'u') AND connamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', k.t, k.conname);
    END LOOP;
END $$;
DROP INDEX ix_users_email;
"""
NO_KEYS = NO_RULES + NO_RULES.split("DROP INDEX")[0].replace("'f', 'c', 'u'", "'p'")


# What is wrong with a row of legacy; the table that rejects it, and the kind.
MISFITS = (
    (
        f"INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)"
        f" VALUES ('{ID}f1', '{ID}ff', 'user', '[]', now())",
        "agent_messages",
        "conversation_id names no row of agent_conversations",
    ),
    (
        f"INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        f" metadata) VALUES ('{ID}f1', '{ID}ff', 'green', 'openai', now(), now(), '{{}}')",
        "agent_conversations",
        "user_id names no row of users",
    ),
    (
        f"INSERT INTO ai_feedback (id, message_id, rating) VALUES ('{ID}f1', '{ID}ff', 'up')",
        "ai_feedback",
        "message_id names no row of agent_messages",
    ),
    (
        f"INSERT INTO ai_memories (id, user_id, scope, content) VALUES ('{ID}f1', '{ID}ff', 'user',"
        " 'x')",
        "ai_memories",
        "user_id names no row of users",
    ),
    (
        "ALTER TABLE ai_memories ALTER tags TYPE json;"
        f"""UPDATE ai_memories SET tags = '{{"a": 1, "a": 2}}' WHERE id = '{MEMORY}'""",
        "ai_memories",
        "tags has a key twice, of which one would be lost",
    ),
    (
        f"UPDATE tags_v2 SET archived_by = '{ID}ff' WHERE id = '{A_TAG}';"
        f"DELETE FROM position_tags WHERE tag_id = '{A_TAG}'",
        "tags_v2",
        "archived_by names no row of users",
    ),
    (
        f"INSERT INTO position_tags (id, position_id, tag_id) VALUES ('{ID}f1', '{ID}ff',"
        f" '{B_TAG}')",
        "position_tags",
        "position_id names no row of positions",
    ),
    (
        f"INSERT INTO tags_v2 (id, user_id, name, color) VALUES ('{ID}f3', '{A_USER}', 'odd',"
        " 'red')",
        "tags_v2",
        "the row breaks the rule ck_tags_v2_valid_hex_color",
    ),
    (
        f"INSERT INTO tags_v2 (id, user_id, name, created_at) VALUES ('{ID}f1', '{B_USER}',"
        f" 'twin', now()), ('{ID}f2', '{B_USER}', 'twin', now())",
        "tags_v2",
        "is_archived, name, user_id is that of a newer row too",
    ),
    (
        f"INSERT INTO portfolios SELECT '{ID}f1', user_id, name, 'other', account_type, is_active,"
        " description, currency, 'NaN', created_at, updated_at, deleted_at FROM portfolios LIMIT 1",
        "portfolios",
        "equity_balance is NaN",
    ),
    (
        "ALTER TABLE positions ALTER quantity TYPE numeric(30,12);"
        f"UPDATE positions SET quantity = 0.000012345678 WHERE id = '{B_POSITION}'",
        "positions",
        "quantity would become 0 in numeric(16,4)",
    ),
)


def test_a_row_that_finds_no_place_is_rejected_and_priced(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    """Legacy's ids are unique, so that its rows go straight until one of them does not fit."""
    run(owned_url, NO_RULES + ";".join(story for story, _, _ in MISFITS))
    expected: dict[str, dict[str, int]] = {}
    for _, table, kind in MISFITS:
        expected.setdefault(table, {})[kind] = 1
    found = copied(owned_url, core_url, ai_url)
    assert {name: one.rejected for name, one in found.items() if one.rejected} == expected
    straight = {name for name, one in found.items() if one.path == "direct"}
    assert straight & {"users", *expected} == {"users", "portfolios"}
    price = swap_price(owned_url, core_url, ai_url)
    lost = {table: len(kinds) for table, kinds in expected.items()}
    assert {name: rows for name, rows in price.by_table.items() if rows} == lost
    assert {name: table.rejected for name, table in price.tables.items()} == lost
    assert f"{len(MISFITS)} did not fit, see ops.copy_rejects" in price.advice()
    for (reason,) in run(core_url, "SELECT reason FROM ops.copy_rejects"):
        assert reason.endswith(("correct legacy", "is NaN", "in numeric(16,4)", "lost"))


@pytest.mark.parametrize(
    ("told", "kind"), [("1 day", "older duplicate"), *soaked(("0", "duplicate"))]
)
def test_of_one_id_the_newest_row_stays_and_another_is_the_price_if_it_says_something_else(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL, told: str, kind: str
) -> None:
    again = (
        "INSERT INTO users SELECT id, email, hashed_password, {}, is_active, created_at,"
        f" updated_at - interval '{told}' FROM users WHERE id = '{A_USER}' LIMIT 1"
    )
    run(owned_url, NO_KEYS + again.format("full_name"))
    assert copied(owned_url, core_url, ai_url)["users"].rejected == {kind: 1}
    assert swap_price(owned_url, core_url, ai_url).total == 0
    run(owned_url, again.format("'0 before'"))
    assert copied(owned_url, core_url, ai_url)["users"].rejected == {kind: 2}
    assert run(core_url, f"SELECT full_name FROM users WHERE id = '{A_USER}'") == [("A",)]
    price = swap_price(owned_url, core_url, ai_url)
    assert (price.total, price.tables["users"].examples) == (1, (A_USER,))


@pytest.mark.soak
def test_columns_of_text_in_any_order_hold_the_same_rows(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    """Every column of every table as text, ids in capitals, nothing unique, one column more."""
    run(owned_url, NO_KEYS)
    for table in ROWS:
        columns = run(
            owned_url,
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " ORDER BY attnum DESC",
            [table],
        )
        texts = ", ".join(
            f"upper({name}::text) AS {name}" if name == "id" else f"{name}::text AS {name}"
            for (name,) in columns
        )
        run(
            owned_url,
            f"CREATE TABLE copy_of AS SELECT 'x' AS extra, {texts} FROM {table};"
            f"DROP TABLE {table} CASCADE; ALTER TABLE copy_of RENAME TO {table}",
        )
    found = copied(owned_url, core_url, ai_url)
    assert all(not one.rejected for one in found.values())
    assert all(one.ignored_columns == ("extra",) for one in found.values())
    assert counts(core_url, ai_url) == ROWS
    assert run(ai_url, "SELECT left(embedding::text, 9) FROM ai_kb_documents") == [("[0.5,0.5,",)]
    assert swap_price(owned_url, core_url, ai_url).total == 0
    run(owned_url, f"DELETE FROM ai_memories WHERE id = upper('{MEMORY}')")
    again = copied(owned_url, core_url, ai_url)
    assert {name: one.deleted for name, one in again.items() if one.deleted} == {"ai_memories": 1}
    assert {one.path for one in again.values()} == {"unchanged", "staged"}


VECTORS = (
    ("array_fill(0.25::real, ARRAY[1536])::text", "[0.25,0.25"),
    ("array_fill(0.25::real, ARRAY[1536])::vector::text", "[0.25,0.25"),
    ("'[1,2,3]'", None),
    ("'\\x3e80'::bytea::text", None),
    ("'not a vector'", None),
    ("NULL", None),
)


def test_a_vector_that_does_not_fit_is_left_to_be_made_anew(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(
        owned_url,
        "DELETE FROM ai_kb_documents; ALTER TABLE ai_kb_documents DROP COLUMN updated_at,"
        " DROP COLUMN embedding; ALTER TABLE ai_kb_documents ADD COLUMN embedding text;"
        + ";".join(
            "INSERT INTO ai_kb_documents (scope, title, content, metadata, embedding)"
            f" VALUES ('global', 'Document {number}', 'Text.', '{{}}', {value})"
            for number, (value, _) in enumerate(VECTORS)
        ),
    )
    found = copied(owned_url, core_url, ai_url)["ai_kb_documents"]
    assert (found.inserted, found.rejected) == (len(VECTORS), {})
    kept = "SELECT left(embedding::text, 10) FROM ai_kb_documents ORDER BY title"
    assert run(ai_url, kept) == [(expected,) for _, expected in VECTORS]


@pytest.mark.parametrize(
    "value",
    [
        r'{"a": "x\u0000y"}',
        *soaked(
            r'["\ud83d"]', r'["\ude00 \ud83d\ude00"]', r"[2, 1e200000]", r'"\\\u0000"', "-1e99999"
        ),
    ],
)
def test_json_that_jsonb_refuses_is_moved_as_it_is(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL, value: str
) -> None:
    exposures = "SELECT id::text, sector_exposure::text FROM portfolio_snapshots ORDER BY 1"
    run(owned_url, "UPDATE portfolio_snapshots SET sector_exposure = %s", [value])
    assert copied(owned_url, core_url, ai_url)["portfolio_snapshots"].path == "direct"
    assert run(core_url, exposures) == [(f"{ID}aa", value), (f"{ID}ab", value)]
    run(owned_url, f"UPDATE portfolio_snapshots SET daily_pnl = 1 WHERE id = '{ID}aa'")
    run(owned_url, f"UPDATE portfolio_snapshots SET daily_pnl = 'NaN' WHERE id = '{ID}ab'")
    found = copied(owned_url, core_url, ai_url)["portfolio_snapshots"]
    assert (found.updated, found.rejected) == (1, {"daily_pnl is NaN": 1})
    [(told,)] = run(core_url, "SELECT row_data ->> 'sector_exposure' FROM ops.copy_rejects")
    assert told == value
    assert swap_price(owned_url, core_url, ai_url).total == 1


def test_an_array_becomes_one_of_json(run: Run, owned_url: URL, core_url: URL, ai_url: URL) -> None:
    run(
        owned_url,
        "ALTER TABLE agent_messages ALTER tool_calls DROP DEFAULT,"
        " ALTER tool_calls TYPE text[] USING '{}';"
        f"UPDATE agent_messages SET tool_calls = '{{a,NULL}}' WHERE id = '{ANSWER}'",
    )
    copied(owned_url, core_url, ai_url)
    assert run(core_url, "SELECT tool_calls FROM agent_messages ORDER BY id") == [
        ([],),
        (["a", None],),
    ]


def test_the_last_moment_that_there_is_comes_and_the_one_after_does_not(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    last, moments = "9999-12-31 23:59:59.999999+00", "SELECT deleted_at::text FROM portfolios"
    run(owned_url, f"UPDATE portfolios SET deleted_at = '{last}'")
    copied(owned_url, core_url, ai_url)
    assert {row for (row,) in run(core_url, moments)} == {last}
    run(owned_url, "UPDATE agent_messages SET created_at = '10000-01-01 00:00:00+00'")
    found = copied(owned_url, core_url, ai_url)["agent_messages"]
    assert set(found.rejected) == {"created_at is not within the years 1 to 9999"}


def test_json_that_jsonb_takes_is_compared_as_such(run: Run, core_url: URL) -> None:
    values = [r'["\u0001 \\u0000"]', r'["\ud83d\ude00\ud83d\ude00"]', '[" 1e99", 1e300]']
    kind = canonical(sql.SQL("v"), is_json=True).as_string()
    query = f"SELECT DISTINCT jsonb_typeof({kind}) FROM unnest(%s::json[]) AS v"
    assert run(core_url, query, [values]) == [("array",)]


def test_missing_tables_and_columns_cost_nothing(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(
        owned_url,
        "DROP TABLE portfolio_target_prices, equity_changes, ai_kb_documents, ai_memories;"
        "ALTER TABLE agent_conversations DROP COLUMN metadata, DROP COLUMN mode;"
        "ALTER TABLE agent_messages DROP COLUMN tool_calls, DROP COLUMN error;"
        "ALTER TABLE tags_v2 DROP COLUMN color, DROP COLUMN usage_count;"
        "ALTER TABLE portfolios DROP COLUMN equity_balance, DROP COLUMN is_active;"
        "ALTER TABLE position_tags DROP COLUMN assigned_at;"
        "ALTER TABLE ai_feedback DROP COLUMN created_at, DROP COLUMN comment",
    )
    found = copied(owned_url, core_url, ai_url)
    absent = {"portfolio_target_prices", "equity_changes", "ai_kb_documents", "ai_memories"}
    assert {name for name, one in found.items() if one.path == "absent"} == absent
    wanted = {name: 0 if name in absent else rows for name, rows in ROWS.items()}
    assert counts(core_url, ai_url) == wanted
    assert found["portfolios"].filled_columns == ("equity_balance",)
    assert run(core_url, "SELECT mode, metadata FROM agent_conversations") == [("green", {})]
    assert run(core_url, "SELECT DISTINCT tool_calls, error FROM agent_messages") == [([], None)]
    assert swap_price(owned_url, core_url, ai_url).total == 0
    run(owned_url, "DROP TABLE ai_feedback")  # a table that is gone is no deletion of its rows
    assert copied(owned_url, core_url, ai_url)["ai_feedback"].path == "absent"
    assert run(ai_url, "SELECT id::text FROM ai_feedback") == [(FEEDBACK,)]
    assert swap_price(owned_url, core_url, ai_url).total == 0


def test_a_column_that_nothing_can_fill_gives_one_line(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(owned_url, "ALTER TABLE agent_messages DROP COLUMN role")
    with pytest.raises(BadInputError, match="'agent_messages' of legacy has no column 'role'"):
        copy_delta(owned_url, core_url, ai_url, OWNED)
    assert run(core_url, "SELECT count(*) FROM users") == [(0,)]
    run(
        owned_url,
        "ALTER TABLE tags_v2 RENAME TO own_tags;"
        "CREATE MATERIALIZED VIEW tags_v2 AS SELECT * FROM own_tags WITH NO DATA",
    )
    unfilled, lacking = assess(owned_url).refusals
    assert 'tags_v2 cannot be read: materialized view "tags_v2" has not been' in unfilled
    assert "'agent_messages' of legacy has no column 'role'" in lacking


def test_views_of_old_tables_are_read_each_time(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(
        owned_url,
        "ALTER TABLE agent_messages RENAME TO messages;"
        "CREATE VIEW agent_messages AS SELECT * FROM messages",
    )
    copied(owned_url, core_url, ai_url)
    run(owned_url, f"UPDATE messages SET content = 'Fine.' WHERE id = '{ANSWER}'")
    found = copied(owned_url, core_url, ai_url)["agent_messages"]
    assert (found.path, found.updated) == ("staged", 1)
    run(owned_url, f"DELETE FROM messages WHERE id = '{ANSWER}'")
    assert copied(owned_url, core_url, ai_url)["agent_messages"].deleted == 1
    assert copied(owned_url, core_url, ai_url)["agent_messages"].path == "unchanged"
    assert run(
        core_url, f"SELECT count(*) FROM agent_messages WHERE conversation_id = '{TALK}'"
    ) == [(1,)]
