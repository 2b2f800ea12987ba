"""The copy of users' rows: ids kept, both databases, repeatable; what legacy deletes goes."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy.engine import URL

from ops.carrying.swap_price import swap_price
from ops.copy import copy_delta
from ops.embedded.server import EmbeddedServer
from tests.database_content import database_hash
from tests.databases import create_database
from tests.groups import soaked, soaked_unless
from tests.integration.copy.conftest import (
    PRICES,
    Copied,
    CopiedTemplates,
    IndexesOf,
    Run,
    clone_copied,
)
from tests.integration.copy.owned_world import (
    A_PORTFOLIO,
    A_POSITION,
    A_TAG,
    A_USER,
    ANSWER,
    B_PORTFOLIO,
    B_TAG,
    B_USER,
    DOCUMENT,
    ID,
    OWNED,
    ROWS,
    TALK,
    copied,
    counts,
    of_each,
    tables,
)


def versions(core: URL, ai: URL) -> dict[str, list[tuple[Any, ...]]]:
    """Which transaction wrote each row of each table."""
    return of_each(core, ai, {one: f"SELECT id, xmin::text FROM {one} ORDER BY id" for one in ROWS})


@pytest.fixture(scope="module")
def shared_pair(server: EmbeddedServer, copied_templates: CopiedTemplates) -> Copied:
    """One legacy database and one pair for tests that each leave them equal."""
    return clone_copied(copied_templates, partial(create_database, server))


def test_every_row_arrives_under_its_own_id(
    run: Run, indexes_of: IndexesOf, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    core_tables = [table for table in ROWS if not table.startswith("ai_")]
    before = indexes_of(core_url, *core_tables)
    found = copied(owned_url, core_url, ai_url)
    assert {name for name, one in found.items() if one.path != "direct"} == {"ai_kb_documents"}
    assert indexes_of(core_url, *core_tables) == before
    kept = run(core_url, "SELECT table_name, count(*) FROM ops.copied_keys GROUP BY 1")
    assert dict(kept) == ROWS
    assert {name: table.inserted for name, table in found.items()} == ROWS
    assert all(not table.rejected for table in found.values())
    assert counts(core_url, ai_url) == ROWS
    both = "SELECT id, email, hashed_password, full_name, created_at FROM users ORDER BY id"
    assert run(core_url, both) == run(owned_url, both)
    hashes = database_hash(owned_url, ROWS)
    del hashes["ai_kb_documents"]  # legacy's own seeded document stays there
    ours = {**database_hash(core_url, core_tables)}
    ours.update(database_hash(ai_url, ["ai_memories", "ai_feedback"]))
    assert ours == hashes
    vector = "SELECT embedding::text FROM ai_kb_documents"
    assert run(ai_url, vector) == run(owned_url, vector + f" WHERE id = '{DOCUMENT}'")


@pytest.mark.parametrize("forget", ["nothing", "everything", *soaked("what was seen")])
def test_twice_is_once_and_touches_no_row(run: Run, shared_pair: Copied, forget: str) -> None:
    legacy, core, ai = shared_pair
    before = versions(core, ai)
    run(
        core,
        {
            "nothing": "SELECT",
            "what was seen": "UPDATE ops.copy_fingerprints SET source_seen = NULL",
            "everything": "DELETE FROM ops.copy_fingerprints; DELETE FROM ops.copied_keys",
        }[forget],
    )
    found = copied(legacy, core, ai)
    wanted = "staged" if forget == "everything" else "unchanged"
    # Of values that no batch may have marked, nothing but their rows may be able to tell.
    assert {one.path for name, one in found.items() if name != "positions"} == {wanted}
    assert {name: one.unchanged for name, one in found.items()} == ROWS
    assert versions(core, ai) == before


# What happens in legacy; by table, rows inserted, updated and deleted in the new pair.
CHANGES: list[tuple[str, str, dict[str, tuple[int, int, int]]]] = [
    ("renamed", f"UPDATE users SET full_name = 'AA' WHERE id = '{A_USER}'", {"users": (0, 1, 0)}),
    (
        "a new password",
        f"UPDATE users SET hashed_password = 'another' WHERE id = '{A_USER}'",
        {"users": (0, 1, 0)},
    ),
    (
        "addresses exchanged",
        "UPDATE users SET email = 'c@example.com' WHERE email = 'a@example.com';"
        "UPDATE users SET email = 'a@example.com' WHERE email = 'b@example.com';"
        "UPDATE users SET email = 'b@example.com' WHERE email = 'c@example.com'",
        {"users": (0, 2, 0)},
    ),
    (
        "closed",
        f"UPDATE positions SET exit_date = '2025-07-01', exit_price = 120, realized_pnl = 200"
        f" WHERE id = '{A_POSITION}'",
        {"positions": (0, 1, 0)},
    ),
    (
        "softly deleted",
        f"UPDATE portfolios SET deleted_at = now() WHERE id = '{B_PORTFOLIO}'",
        {"portfolios": (0, 1, 0)},
    ),
    (
        "a name passed on to a new tag",
        f"UPDATE tags_v2 SET name = 'old' WHERE id = '{A_TAG}';"
        f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}f1', '{A_USER}', 'core')",
        {"tags_v2": (1, 1, 0)},
    ),
    (
        "assignments exchanged",
        f"UPDATE position_tags SET tag_id = '{ID}f1' WHERE tag_id = '{A_TAG}';"
        f"UPDATE position_tags SET tag_id = '{A_TAG}' WHERE tag_id = '{B_TAG}';"
        f"UPDATE position_tags SET tag_id = '{B_TAG}' WHERE tag_id = '{ID}f1'",
        {"position_tags": (2, 0, 0)},
    ),
    (
        "a house that is worth more",
        f"UPDATE positions SET investment_class = 'PRIVATE', market_value = 7500, last_price = 750"
        f" WHERE id = '{A_POSITION}'",
        {"positions": (0, 1, 0)},
    ),
    (
        "and more again",
        f"UPDATE positions SET market_value = 8000 WHERE id = '{A_POSITION}'",
        {"positions": (0, 1, 0)},
    ),
    ("a mark alone", "UPDATE positions SET last_price = 3 WHERE investment_class IS NULL", {}),
    (
        "other Greeks",
        "UPDATE position_greeks SET delta = 0.6",
        {"position_greeks": (0, 1, 0)},
    ),
    (
        "a snapshot taken again",
        f"DELETE FROM portfolio_snapshots WHERE id = '{ID}ab';"
        f"INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value,"
        f" cash_value, long_value, short_value, gross_exposure, net_exposure, num_positions,"
        f" num_long_positions, num_short_positions, created_at)"
        f" SELECT id::uuid, '{A_PORTFOLIO}', day::date, 7, 0, 0, 0, 0, 0, 1, 1, 0, now() FROM"
        f" (VALUES ('{ID}f8', '2025-06-30'), ('{ID}f7', '2025-07-02')) AS given (id, day)",
        {"portfolio_snapshots": (2, 0, 1)},
    ),
    (
        "a scenario of theirs and one of ours",
        "UPDATE stress_test_scenarios SET name = 'Mine too'; INSERT INTO stress_test_scenarios"
        " SELECT gen_random_uuid(), given, name, NULL, category, severity, shock_config, true,"
        " now(), now() FROM stress_test_scenarios,"
        " unnest(ARRAY['second', 'market_down_10']) AS given",
        {"stress_test_scenarios": (2, 1, 0)},
    ),
    (
        "a question more",
        f"INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
        f" VALUES ('{ID}f2', '{TALK}', 'user', 'And now?', '[]', now());"
        f"UPDATE agent_conversations SET updated_at = now() WHERE id = '{TALK}'",
        {"agent_messages": (1, 0, 0)},
    ),
    (
        "a message taken back",
        f"DELETE FROM agent_messages WHERE id = '{ID}f2'",
        {"agent_messages": (0, 0, 1)},
    ),
    (
        "rated otherwise",
        "UPDATE ai_feedback SET rating = 'down', edited_text = 'Badly.'",
        {"ai_feedback": (0, 1, 0)},
    ),
    (
        "a document mended",
        f"UPDATE ai_kb_documents SET content = 'Rates rise.' WHERE id = '{DOCUMENT}'",
        {"ai_kb_documents": (0, 1, 0)},
    ),
    (
        "forgotten and learned",
        f"DELETE FROM ai_memories; INSERT INTO ai_memories (id, user_id, scope, content)"
        f" VALUES ('{ID}f3', '{A_USER}', 'user', 'likes detail')",
        {"ai_memories": (1, 0, 1)},
    ),
    (
        "a conversation deleted",
        f"DELETE FROM agent_conversations WHERE id = '{TALK}'; DELETE FROM ai_feedback",
        {
            "agent_conversations": (0, 0, 1),
            "agent_messages": (0, 0, 2),
            "ai_feedback": (0, 0, 1),
        },
    ),
    (
        "a user gone and another with the address",
        f"DELETE FROM ai_memories; DELETE FROM position_tags; DELETE FROM tags_v2;"
        f"DELETE FROM portfolio_target_prices; DELETE FROM position_realized_events;"
        f"DELETE FROM equity_changes; DELETE FROM position_greeks; DELETE FROM portfolio_snapshots;"
        f"DELETE FROM positions WHERE id = '{A_POSITION}';"
        f"DELETE FROM portfolios WHERE id = '{A_PORTFOLIO}';"
        f"DELETE FROM users WHERE id = '{A_USER}';"
        f"INSERT INTO users SELECT '{ID}f4', 'b@example.com', hashed_password, full_name,"
        f" is_active, created_at, updated_at FROM users WHERE id = '{B_USER}'",
        {
            "ai_memories": (0, 0, 1),
            "position_tags": (0, 0, 2),
            "tags_v2": (0, 0, 3),
            "portfolio_target_prices": (0, 0, 1),
            "position_realized_events": (0, 0, 1),
            "equity_changes": (0, 0, 1),
            "position_greeks": (0, 0, 1),
            "portfolio_snapshots": (0, 0, 3),
            "positions": (0, 0, 1),
            "portfolios": (0, 0, 1),
            "users": (1, 0, 1),
        },
    ),
]


# A row changed, exchanged, passed on, taken away and brought back, in both databases.
AT_EACH_RUN = {
    "addresses exchanged",
    "a name passed on to a new tag",
    "a mark alone",
    "a snapshot taken again",
    "forgotten and learned",
    "a conversation deleted",
    "a user gone and another with the address",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(sql, found, id=name, marks=soaked_unless(name in AT_EACH_RUN))
        for name, sql, found in CHANGES
    ],
)
def test_what_changes_in_legacy_changes_in_the_new_pair(
    run: Run,
    shared_pair: Copied,
    change: str,
    expected: dict[str, tuple[int, int, int]],
) -> None:
    legacy, core, ai = shared_pair
    run(legacy, change)
    assert {name for name, rows in swap_price(legacy, core, ai).by_table.items() if rows} == {
        *expected
    }
    found = copied(legacy, core, ai)
    assert {
        name: (one.inserted, one.updated, one.deleted)
        for name, one in found.items()
        if one.inserted or one.updated or one.deleted
    } == expected
    assert swap_price(legacy, core, ai).total == 0
    before = versions(core, ai)
    copy_delta(legacy, core, ai, OWNED)
    assert versions(core, ai) == before


def test_only_what_was_written_since_is_moved(run: Run, world_copied: Copied) -> None:
    legacy, core, ai = world_copied
    run(
        legacy,
        f"UPDATE agent_messages SET content = 'Better.' WHERE id = '{ANSWER}'",
    )
    seen = []
    reports = copy_delta(legacy, core, ai, OWNED, on_progress=seen.append)
    paths = {name: one.path for name, one in tables(reports).items()}
    assert paths.pop("agent_messages") == "delta"
    assert {*paths.values()} == {"unchanged"}
    assert {(one.table, one.total) for one in seen} == {("agent_messages", 1)}
    assert tables(reports)["agent_messages"].accepted == 2


def test_a_deletion_moves_no_row_unless_somebody_else_deleted_too(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    more = (
        f"INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
        f" SELECT gen_random_uuid(), '{TALK}', 'user', n::text, '[]', now()"
        f" FROM generate_series(1, 3000) AS n"
    )
    run(owned_url, more)
    copied(owned_url, core_url, ai_url)
    versions = "SELECT id, xmin::text FROM agent_messages WHERE content > '3' ORDER BY id"
    before = run(core_url, versions)
    gone = "DELETE FROM agent_messages WHERE content IN ('1', '11', '12')"
    run(owned_url, gone)
    found = copied(owned_url, core_url, ai_url)["agent_messages"]
    assert (found.path, found.deleted, found.accepted) == ("delta", 3, 2999)
    assert run(core_url, versions) == before
    run(owned_url, "DELETE FROM agent_messages WHERE content = '13'")
    run(core_url, "DELETE FROM agent_messages WHERE content = '14'")
    found = copied(owned_url, core_url, ai_url)["agent_messages"]
    assert (found.path, found.deleted, found.inserted) == ("staged", 1, 1)
    assert run(core_url, versions) == before


def test_what_only_the_new_pair_has_stays(run: Run, world_copied: Copied) -> None:
    legacy, core, ai = world_copied
    run(core, f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}f9', '{A_USER}', 'mine')")
    run(ai, "INSERT INTO ai_memories (scope, content) VALUES ('global', 'ours')")
    run(legacy, f"DELETE FROM position_tags WHERE tag_id = '{A_TAG}'; DELETE FROM ai_memories")
    run(legacy, f"DELETE FROM tags_v2 WHERE id = '{A_TAG}'")
    copied(legacy, core, ai)
    assert run(core, "SELECT name FROM tags_v2 ORDER BY name") == [("mine",), ("satellite",)]
    assert run(ai, "SELECT content FROM ai_memories") == [("ours",)]
    assert swap_price(legacy, core, ai).total == 0


def test_what_the_batch_carries_on_is_never_set_back_where_it_can_be_priced(
    run: Run, world_copied: Copied
) -> None:
    capital = "SELECT equity::text FROM ops.starting_capital ORDER BY portfolio_id"
    equity = "SELECT equity_balance::text FROM portfolios ORDER BY id"
    legacy, core, ai = world_copied
    run(core, PRICES.replace("'SYM' || s", "'AAPL'").replace("(1, 20)", "(1, 1)"))
    assert run(core, capital) == [("1000.50",), ("0.00",)]
    run(legacy, f"UPDATE portfolios SET equity_balance = 77 WHERE id = '{B_PORTFOLIO}'")
    run(legacy, "UPDATE positions SET last_price = 3, market_value = 30, unrealized_pnl = 1")
    copied(legacy, core, ai)
    assert run(core, capital) == [("1000.50",), ("77.00",)]
    assert run(core, equity) == [("1000.50",), ("77.00",)]
    assert run(core, "SELECT market_value::text FROM positions ORDER BY id") == [
        ("1100.00",),
        ("30.00",),
    ]
    run(
        core,
        "INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status)"
        " SELECT id, '2025-07-01', 'done' FROM portfolios;"
        "UPDATE portfolios SET equity_balance = 5000; UPDATE positions SET last_price = 120",
    )
    run(legacy, "UPDATE portfolios SET equity_balance = 2, name = 'Renamed'")
    run(legacy, "UPDATE positions SET last_price = 4, notes = 'kept'")
    assert copied(legacy, core, ai)["portfolios"].updated == 2
    assert run(core, capital) == [("1000.50",), ("77.00",)]
    assert run(core, equity) == [("5000.00",), ("5000.00",)]
    marks = "SELECT last_price::text, notes FROM positions ORDER BY id"
    assert run(core, marks) == [("120.0000", "kept"), ("4.0000", "kept")]
    run(core, f"UPDATE positions SET last_price = 121 WHERE id = '{A_POSITION}'")
    run(legacy, "UPDATE positions SET last_price = 5")
    copied(legacy, core, ai)
    assert run(core, marks) == [("121.0000", "kept"), ("5.0000", "kept")]


@pytest.mark.soak
def test_a_vector_of_another_model_is_kept_until_the_document_changes(
    run: Run, world_copied: Copied
) -> None:
    legacy, core, ai = world_copied
    run(
        ai,
        "UPDATE ai_kb_documents SET embedding = array_fill(0.1::real, ARRAY[1536])::vector,"
        ' metadata = metadata || \'{"embedding_model": "ours"}\'',
    )
    before = versions(core, ai)
    copied(legacy, core, ai)
    assert versions(core, ai) == before
    run(legacy, f"UPDATE ai_kb_documents SET title = 'View' WHERE id = '{DOCUMENT}'")
    copied(legacy, core, ai)
    assert run(
        ai,
        "SELECT title, metadata ->> 'embedding_model', left(embedding::text, 4) FROM"
        " ai_kb_documents",
    ) == [("View", "theirs", "[0.5")]


def test_a_deleted_portfolio_takes_its_analytics_along(run: Run, world_copied: Copied) -> None:
    legacy, core, ai = world_copied
    run(
        core,
        f"INSERT INTO position_market_betas (id, portfolio_id, position_id, calc_date, beta,"
        f" observations) VALUES ('{ID}f6', '{A_PORTFOLIO}', '{A_POSITION}', '2025-07-01', 1, 90);"
        f"INSERT INTO correlation_calculations (id, portfolio_id, duration_days, calculation_date,"
        f" overall_correlation, correlation_concentration_score, effective_positions,"
        f" data_quality, positions_included)"
        f" VALUES ('{ID}f7', '{A_PORTFOLIO}', 90, '2025-07-01', 0, 0, 1, 'sufficient', 1)",
    )
    run(legacy, "TRUNCATE positions, portfolios, equity_changes, tags_v2 CASCADE")
    found = copied(legacy, core, ai)
    assert (found["portfolios"].deleted, found["positions"].deleted) == (2, 2)
    for table in (
        "position_greeks",
        "portfolio_snapshots",
        "position_market_betas",
        "correlation_calculations",
        "ops.starting_capital",
        "portfolios",
        "positions",
        "position_tags",
    ):
        assert run(core, f"SELECT count(*) FROM {table}") == [(0,)]
    assert run(core, "SELECT count(*) FROM users") == [(2,)]
