"""A small legacy database of users' rows, one or more of every user-owned table, and its copy."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import URL

from app.agent.knowledge.documents import builtin_documents
from ops.connection import connect
from ops.copy import CopyReport, TableReport
from ops.copy.groups import tables_of
from ops.copy.parity import proven_parity
from ops.copy.report import no_guard
from ops.copy.sessions import copy_sessions
from ops.copy.snapshot import copy_groups

A_USER = "00000000-0000-0000-0000-0000000000a1"
B_USER = "00000000-0000-0000-0000-0000000000b1"
A_PORTFOLIO = "00000000-0000-0000-0000-0000000000a2"
B_PORTFOLIO = "00000000-0000-0000-0000-0000000000b2"
A_POSITION = "00000000-0000-0000-0000-0000000000a3"
B_POSITION = "00000000-0000-0000-0000-0000000000b3"
A_TAG = "00000000-0000-0000-0000-0000000000a4"
B_TAG = "00000000-0000-0000-0000-0000000000b4"
TALK = "00000000-0000-0000-0000-0000000000c1"
QUESTION = "00000000-0000-0000-0000-0000000000c2"
ANSWER = "00000000-0000-0000-0000-0000000000c3"
MEMORY = "00000000-0000-0000-0000-0000000000d1"
FEEDBACK = "00000000-0000-0000-0000-0000000000d2"
DOCUMENT = "00000000-0000-0000-0000-0000000000d3"
SHIPPED = builtin_documents()[0]

# Of every table that is copied for users, how many rows the world holds that count.
ROWS = {
    "users": 2,
    "portfolios": 2,
    "positions": 2,
    "equity_changes": 1,
    "position_realized_events": 1,
    "tags_v2": 2,
    "position_tags": 2,
    "portfolio_target_prices": 1,
    "position_greeks": 1,
    "portfolio_snapshots": 2,
    "stress_test_scenarios": 1,
    "agent_conversations": 1,
    "agent_messages": 2,
    "ai_memories": 1,
    "ai_feedback": 1,
    "ai_kb_documents": 1,
}
ID = "00000000-0000-0000-0000-0000000000"

WORLD = f"""
INSERT INTO users (id, email, hashed_password, full_name, is_active, created_at, updated_at) VALUES
    ('{A_USER}', 'a@example.com', 'hash of a', 'A', true, '2025-01-01', '2025-01-01'),
    ('{B_USER}', 'b@example.com', 'hash of b', 'B', true, '2025-01-01', '2025-01-01');
INSERT INTO portfolios (id, user_id, name, account_name, account_type, is_active, currency,
    equity_balance, created_at, updated_at) VALUES
    ('{A_PORTFOLIO}', '{A_USER}', 'One', 'one', 'taxable', true, 'USD', 1000.5, now(), now()),
    ('{B_PORTFOLIO}', '{B_USER}', 'Two', 'two', 'ira', true, 'USD', NULL, now(), now());
INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    market_value, created_at, updated_at) VALUES
    ('{A_POSITION}', '{A_PORTFOLIO}', 'AAPL', 'LONG', 10, 100, '2025-01-02', 1100, now(), now()),
    ('{B_POSITION}', '{B_PORTFOLIO}', 'MSFT', 'SHORT', -5, 400, '2025-01-02', NULL, now(), now());
INSERT INTO equity_changes (id, portfolio_id, change_type, amount, change_date, created_by_user_id,
    created_at, updated_at)
VALUES ('{ID}a5', '{A_PORTFOLIO}', 'CONTRIBUTION', 50, '2025-02-01', '{A_USER}', now(), now());
INSERT INTO position_realized_events (id, position_id, portfolio_id, trade_date, quantity_closed,
    realized_pnl) VALUES ('{ID}a6', '{A_POSITION}', '{A_PORTFOLIO}', '2025-03-01', 1, 12.34);
INSERT INTO tags_v2 (id, user_id, name) VALUES
    ('{A_TAG}', '{A_USER}', 'core'), ('{B_TAG}', '{A_USER}', 'satellite');
INSERT INTO position_tags (id, position_id, tag_id, assigned_by) VALUES
    ('{ID}a7', '{A_POSITION}', '{A_TAG}', '{A_USER}'),
    ('{ID}b7', '{A_POSITION}', '{B_TAG}', NULL);
INSERT INTO portfolio_target_prices (id, portfolio_id, position_id, symbol, position_type,
    current_price, created_by, created_at, updated_at)
VALUES ('{ID}a8', '{A_PORTFOLIO}', '{A_POSITION}', 'AAPL', 'LONG', 110, '{A_USER}', now(), now());
INSERT INTO position_greeks (id, position_id, calculation_date, delta, created_at, updated_at)
VALUES ('{ID}a9', '{A_POSITION}', '2025-06-30', 0.5, now(), now());
INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value, cash_value,
    long_value, short_value, gross_exposure, net_exposure, num_positions, num_long_positions,
    num_short_positions, equity_balance, created_at)
SELECT ('{ID}' || key)::uuid, '{A_PORTFOLIO}', day::date, equity, 0, 1100, 0, 1100, 1100, 1, 1, 0,
    equity, now()
FROM (VALUES ('aa', '2025-06-27', 990), ('ab', '2025-06-30', 1000.5)) AS days (key, day, equity);
INSERT INTO stress_test_scenarios (id, scenario_id, name, category, severity, shock_config, active,
    created_at, updated_at)
VALUES ('{ID}ac', 'my_own', 'Mine', 'market', 'mild', '{{"shocked_factors": {{"Market": -0.1}}}}',
    true, now(), now());
INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at, metadata)
VALUES ('{TALK}', '{A_USER}', 'green', 'openai', now(), now(), '{{"route": "/home"}}');
INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at) VALUES
    ('{QUESTION}', '{TALK}', 'user', 'How am I doing?', 'null', '2025-06-01'),
    ('{ANSWER}', '{TALK}', 'assistant', 'Well.', '[]', '2025-06-01');
INSERT INTO ai_memories (id, user_id, scope, content, tags)
VALUES ('{MEMORY}', '{A_USER}', 'user', 'likes brevity', '{{"conversation_id": "{TALK}"}}');
INSERT INTO ai_feedback (id, message_id, rating) VALUES ('{FEEDBACK}', '{ANSWER}', 'up');
INSERT INTO ai_kb_documents (id, scope, title, content, metadata, embedding) VALUES
    ('{DOCUMENT}', 'global', 'House view', 'Rates fall.',
        '{{"type": "faq", "embedding_model": "theirs"}}',
        array_fill(0.5::real, ARRAY[1536])::vector),
    ('{ID}e1', 'global', '{SHIPPED.title}', '{SHIPPED.content}', '{{"seed": "builtin"}}', NULL);
"""


def another_world(digit: str) -> str:
    """The same rows of other users, with other ids."""
    theirs = WORLD.replace(ID, f"{ID[:-2]}{digit}0").replace("@example.com", f"{digit}@example.com")
    return theirs.replace("my_own", f"my_own_{digit}").replace("House view", f"House view {digit}")


def counts(core_url: URL, ai_url: URL) -> dict[str, int]:
    """The rows of every one of these tables of a pair, seeded documents left out."""
    counted = {
        table: " WHERE metadata ->> 'seed' IS NULL" if table == "ai_kb_documents" else ""
        for table in ROWS
    }
    found = of_each(
        core_url, ai_url, {table: f"SELECT count(*) FROM {table}{counted[table]}" for table in ROWS}
    )
    return {table: rows[0][0] for table, rows in found.items()}


def of_each(
    core_url: URL, ai_url: URL, queries: Mapping[str, str]
) -> dict[str, list[tuple[Any, ...]]]:
    """What a query of each table gives, where the table is; over one connection of each half."""
    with (
        connect(core_url, application_name="tests") as core,
        connect(ai_url, application_name="tests") as ai,
    ):
        return {
            table: (ai if table.startswith("ai_") else core).execute(query.encode()).fetchall()
            for table, query in queries.items()
        }


OWNED = ("users", "chat", "ai")


def copied(legacy: URL, core: URL, ai: URL) -> dict[str, TableReport]:
    """Copy all users' rows and make sure that nothing is left to be done, as a swap does both."""
    with copy_sessions(legacy, core, ai, OWNED) as sessions:
        found = tables(copy_groups(sessions, OWNED, no_guard))
        parity = proven_parity(sessions, tables_of(OWNED))
    assert all(one.source_rows == one.accepted + one.rejected_rows for one in found.values())
    assert all(one.holds for one in parity)
    return found


def tables(reports: list[CopyReport]) -> dict[str, TableReport]:
    return {table.table: table for report in reports for table in report.tables}
