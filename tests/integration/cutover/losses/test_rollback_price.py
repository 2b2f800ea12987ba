"""What a rollback is priced at: what users wrote since the swap, and nothing else."""

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb
from users_rows import (
    ALICE,
    APPLE,
    BOB,
    BOOK,
    CHAT,
    DOCUMENT,
    GROWTH,
    MEMORY,
    MOMENT,
    TAGGED,
    TESLA,
    Pair,
    rollback_price,
    run,
    session_of,
)

from app.agent.bounds import VERIFICATION_ROUTE
from ops.carrying import changes
from ops.carrying.baseline import record_baseline
from ops.demo.marker import DEMO_USERS
from ops.sql_files import statement
from tests.groups import first_of_each

Statement = tuple[str, str, list[object]]


def _price(pair: Pair) -> dict[str, tuple[int, int, int]]:
    found = rollback_price(*pair)
    return {price.table: (price.inserted, price.updated, price.deleted) for price in found.tables}


_WRITES: list[tuple[str, str, list[object], dict[str, tuple[int, int, int]]]] = [
    (
        "core",
        "INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at,"
        " updated_at) VALUES (%s, 'carol@example.com', 'c', 'Carol', true, now(), now())",
        [uuid4()],
        {"users": (1, 0, 0)},
    ),
    ("core", "UPDATE users SET hashed_password = 'new'", [], {"users": (0, 2, 0)}),
    ("core", "UPDATE portfolios SET deleted_at = now()", [], {"portfolios": (0, 1, 0)}),
    (
        "core",
        "UPDATE positions SET quantity = 1 WHERE id = %s",
        [TESLA],
        {"positions": (0, 1, 0)},
    ),
    (
        "core",
        "UPDATE positions SET exit_date = '2025-12-09', exit_price = 3.5 WHERE id = %s",
        [APPLE],
        {"positions": (0, 1, 0)},
    ),
    (
        "core",
        "INSERT INTO equity_changes (id, portfolio_id, change_type, amount, change_date,"
        " created_by_user_id) VALUES (%s, %s, 'CONTRIBUTION', 5, '2025-12-01', %s)",
        [uuid4(), BOOK, ALICE],
        {"equity_changes": (1, 0, 0)},
    ),
    (
        "core",
        "INSERT INTO position_realized_events (id, position_id, portfolio_id, trade_date,"
        " quantity_closed, realized_pnl) VALUES (%s, %s, %s, '2025-12-01', 1, 1)",
        [uuid4(), APPLE, BOOK],
        {"position_realized_events": (1, 0, 0)},
    ),
    (
        "core",
        "DELETE FROM tags_v2 WHERE id = %s",
        [GROWTH],
        {"tags_v2": (0, 0, 1), "position_tags": (0, 0, 1)},
    ),
    ("core", "DELETE FROM position_tags WHERE id = %s", [TAGGED], {"position_tags": (0, 0, 1)}),
    (
        "core",
        "INSERT INTO portfolio_target_prices (id, portfolio_id, symbol, current_price, created_at,"
        " updated_at) VALUES (%s, %s, 'AAPL', 1, now(), now())",
        [uuid4(), BOOK],
        {"portfolio_target_prices": (1, 0, 0)},
    ),
    (
        "core",
        "DELETE FROM agent_conversations WHERE id = %s",
        [CHAT],
        {"agent_conversations": (0, 0, 1), "agent_messages": (0, 0, 2)},
    ),
    (
        "core",
        'UPDATE agent_conversations SET metadata = \'{"route": "/away"}\'',
        [],
        {"agent_conversations": (0, 1, 0)},
    ),
    ("ai", "DELETE FROM ai_memories WHERE id = %s", [MEMORY], {"ai_memories": (0, 0, 1)}),
    ("ai", "UPDATE ai_feedback SET rating = 'down'", [], {"ai_feedback": (0, 1, 0)}),
    ("ai", "UPDATE ai_feedback SET comment = ''", [], {"ai_feedback": (0, 1, 0)}),
    ("ai", "UPDATE ai_kb_documents SET title = 'T'", [], {"ai_kb_documents": (0, 1, 0)}),
]


@pytest.mark.parametrize(
    ("database", "query", "values", "price"),
    first_of_each(_WRITES, lambda write: (write[0], write[1].split()[0])),
)
def test_each_row_that_a_user_wrote_is_priced_once(
    pair: Pair,
    database: str,
    query: str,
    values: list[object],
    price: dict[str, tuple[int, int, int]],
) -> None:
    assert _price(pair) == {}

    run(getattr(pair, database), query, *values)

    assert _price(pair) == price
    found = rollback_price(*pair)
    assert found.total == sum(sum(counts) for counts in price.values())
    assert set(found.by_table) == set(price)
    assert all(len(one.examples) == one.total for one in found.tables)


_FREE: dict[str, list[Statement]] = {
    "what a batch rolls forward": [
        ("core", "UPDATE portfolios SET equity_balance = 5, updated_at = now()", []),
        (
            "core",
            "UPDATE positions SET last_price = 1, market_value = 2, unrealized_pnl = 3,"
            " updated_at = now()",
            [],
        ),
    ],
    "a change that is changed back": [
        ("core", "UPDATE positions SET quantity = quantity + 1", []),
        ("core", "UPDATE positions SET quantity = quantity - 1, updated_at = now()", []),
    ],
    "a row that comes and goes": [
        ("core", "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'x')", [APPLE, BOB]),
        ("core", "DELETE FROM tags_v2 WHERE id = %s", [APPLE]),
    ],
    "JSON of another order": [
        (
            "core",
            "UPDATE agent_conversations SET metadata = %s",
            [Jsonb({"n": 1.5, "route": "/home"})],
        )
    ],
    "a vector of another model": [
        ("ai", "UPDATE ai_kb_documents SET embedding = NULL WHERE id = %s", [DOCUMENT])
    ],
    "an analytic": [
        (
            "core",
            "INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value,"
            " cash_value, long_value, short_value, gross_exposure, net_exposure, num_positions,"
            " num_long_positions, num_short_positions, created_at)"
            " VALUES (%s, %s, '2025-12-09', 1, 1, 1, 1, 1, 1, 1, 1, 1, now())",
            [APPLE, BOOK],
        )
    ],
}


def test_nothing_is_priced_that_no_user_loses(pair: Pair) -> None:
    """Neither one of these, nor what went before it."""
    for name, statements in _FREE.items():
        for database, query, values in statements:
            run(getattr(pair, database), query, *values)
        assert _price(pair) == {}, name


def _verification_chat(pair: Pair, user: object) -> None:
    run(
        pair.core,
        "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        " metadata) VALUES (%s, %s, 'green', 'openai', now(), now(), %s)",
        TAGGED,
        user,
        Jsonb({"route": VERIFICATION_ROUTE}),
    )
    run(
        pair.core,
        "INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)"
        " VALUES (%s, %s, 'user', '[]', now())",
        APPLE,
        TAGGED,
    )
    run(pair.ai, "INSERT INTO ai_feedback (message_id, rating) VALUES (%s, 'up')", APPLE)
    run(
        pair.ai,
        "INSERT INTO ai_memories (scope, content, tags) VALUES ('user', 'x', %s)",
        Jsonb({"conversation_id": str(TAGGED)}),
    )


def test_what_verification_writes_is_neither_priced_nor_part_of_the_baseline(
    pair: Pair,
) -> None:
    run(pair.core, "UPDATE users SET email = %s WHERE id = %s", next(iter(DEMO_USERS)), BOB)
    before = record_baseline(*pair)

    _verification_chat(pair, BOB)
    assert _price(pair) == {}
    assert record_baseline(*pair) == before

    run(pair.core, "DELETE FROM agent_conversations WHERE id = %s", TAGGED)
    run(pair.ai, "DELETE FROM ai_feedback WHERE message_id = %s", APPLE)
    run(pair.ai, "DELETE FROM ai_memories WHERE id <> %s", MEMORY)
    assert _price(pair) == {}


def test_a_user_who_chats_on_the_route_of_verification_loses_that_too(
    pair: Pair,
) -> None:
    _verification_chat(pair, ALICE)

    assert _price(pair) == {
        "agent_conversations": (1, 0, 0),
        "agent_messages": (1, 0, 0),
        "ai_memories": (1, 0, 0),
        "ai_feedback": (1, 0, 0),
    }


def test_a_row_of_ai_is_not_seen_without_what_it_names(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users write to both while the snapshots are taken."""

    def after_the_first_of_core(name: str) -> bytes:
        if name == "carrying/changes":
            run(
                pair.core,
                "INSERT INTO agent_messages (id, conversation_id, role, tool_calls, created_at)"
                " VALUES (%s, %s, 'user', '[]', now())",
                APPLE,
                CHAT,
            )
            run(pair.ai, "INSERT INTO ai_feedback (message_id, rating) VALUES (%s, 'up')", APPLE)
        return statement(name)

    monkeypatch.setattr(changes, "statement", after_the_first_of_core)
    assert _price(pair) == {}


def test_analytics_written_since_the_swap_are_listed_beside_the_price(
    pair: Pair,
) -> None:
    calculation = (
        "INSERT INTO correlation_calculations (id, portfolio_id, duration_days, calculation_date,"
        " overall_correlation, correlation_concentration_score, effective_positions, data_quality,"
        " positions_included, created_at) VALUES (%s, %s, 90, %s, 0, 0, 1, 'good', 2, %s)"
    )
    pairs = (
        "INSERT INTO pairwise_correlations (correlation_calculation_id, symbol_1, symbol_2,"
        " correlation_value, data_points) VALUES (%s, 'A', 'B', 0, 90)"
    )
    run(pair.core, calculation, APPLE, BOOK, MOMENT, MOMENT)
    run(pair.core, pairs, APPLE)
    assert rollback_price(*pair).recomputable == {}

    with session_of(pair.core) as session:
        row = session.execute("SELECT now()").fetchone()
    assert row is not None
    run(pair.core, calculation, TESLA, BOOK, row[0], row[0])
    run(pair.core, pairs, TESLA)

    found = rollback_price(*pair)
    assert found.recomputable == {"correlation_calculations": 1, "pairwise_correlations": 1}
    assert found.total == 0
    assert "correlation_calculations 1, pairwise_correlations 1" in found.lines()[-1]


def test_the_price_is_told_in_lines_and_rows(pair: Pair) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")
    run(pair.ai, "DELETE FROM ai_memories")

    found = rollback_price(*pair)

    assert found.summary() == "positions 2, ai_memories 1"
    assert found.lines()[0].startswith("a rollback loses 3 rows that users wrote since 20")
    assert found.lines()[2] == (
        f"  ai_memories: 0 inserted, 0 updated, 1 deleted (for example {MEMORY})"
    )
    assert found.rows()[0] == {
        "table": "positions",
        "inserted": 0,
        "updated": 2,
        "deleted": 0,
        "for example": f"{APPLE}, {TESLA}",
    }
