"""What a swap would lose: nothing, or so many rows of which table, and what to do about it."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy.engine import URL

from app.agent.knowledge.documents import builtin_documents
from ops.carrying.swap_price import EDITED, swap_price
from ops.connection import connect
from ops.copy import copy_delta
from ops.copy.source import copied_groups
from ops.embedded.server import EmbeddedServer
from tests.databases import create_database
from tests.integration.copy.owned_world import (
    A_POSITION,
    A_USER,
    ANSWER,
    DOCUMENT,
    ID,
    ROWS,
    SHIPPED,
    TALK,
    WORLD,
    another_world,
)

OWNED = ("users", "chat", "ai")
Databases = tuple[URL, URL, URL]


@pytest.fixture(scope="module")
def databases(
    server: EmbeddedServer, core_template: str, ai_template: str, old_shape_template: str
) -> Databases:
    """An old database and a pair to which it was copied; each test leaves it copied."""
    legacy, core, ai = (
        create_database(server, one) for one in (old_shape_template, core_template, ai_template)
    )
    run(legacy, WORLD)
    return legacy, core, ai


def run(url: URL, statements: str) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(statements.encode())


def test_before_the_first_copy_all_of_it_is_the_price(databases: Databases) -> None:
    legacy, core, ai = databases
    price = swap_price(legacy, core, ai)
    assert price.by_table == ROWS
    assert price.total == sum(ROWS.values())
    assert price.advice() == (
        "the new pair lacks rows of legacy: 2 of users, 2 of portfolios, 2 of positions, 1 of "
        "equity_changes, 1 of position_realized_events, 2 of tags_v2, 2 of position_tags, 1 of "
        "portfolio_target_prices, 1 of position_greeks, 2 of portfolio_snapshots, 1 of "
        "stress_test_scenarios, 1 of agent_conversations, 2 of agent_messages, 1 of "
        "ai_memories, 1 of ai_feedback, 1 of ai_kb_documents; run "
        "`sigmasight copy --group users` and `sigmasight copy --group chat`"
        " and `sigmasight copy --group ai`, or swap with --accept-loss 23"
    )
    assert copied_groups(core) == ()
    copy_delta(legacy, core, ai, ("users", "ai"))
    assert copied_groups(core) == ("users", "ai")
    assert set(swap_price(legacy, core, ai).tables) == {
        "agent_conversations",
        "agent_messages",
        "ai_feedback",
    }
    copy_delta(legacy, core, ai, OWNED)
    assert swap_price(legacy, core, ai).total == 0
    assert swap_price(legacy, core, ai).advice() == "legacy holds nothing that the new pair lacks"


# What happens in legacy at once, by table, and what that costs: rows missing, different, deleted,
# and an example.
PRICED: list[dict[str, tuple[str, int, int, int, str | None]]] = [
    {
        "users": (
            f"INSERT INTO users VALUES ('{ID}f0', 'n@example.com', 'h', 'N', true, now(), now())",
            *(1, 0, 0, f"{ID}f0"),
        ),
        "portfolios": (
            f"UPDATE portfolios SET name = 'X' WHERE user_id = '{A_USER}'",
            *(0, 1, 0, None),
        ),
        "positions": (
            f"UPDATE positions SET quantity = 11 WHERE id = '{A_POSITION}'",
            *(0, 1, 0, A_POSITION),
        ),
        "position_greeks": ("UPDATE position_greeks SET vega = 1", 0, 1, 0, f"{ID}a9"),
        "portfolio_snapshots": (
            f"UPDATE portfolio_snapshots SET daily_pnl = 1 WHERE id = '{ID}aa'",
            *(0, 1, 0, f"{ID}aa"),
        ),
        "stress_test_scenarios": (
            "UPDATE stress_test_scenarios SET active = false",
            *(0, 1, 0, f"{ID}ac"),
        ),
        "equity_changes": ("UPDATE equity_changes SET amount = 51", 0, 1, 0, f"{ID}a5"),
        "position_realized_events": (
            "DELETE FROM position_realized_events",
            *(0, 0, 1, f"{ID}a6"),
        ),
        "tags_v2": ("UPDATE tags_v2 SET color = '#000000'", 0, 2, 0, None),
        "position_tags": (
            f"DELETE FROM position_tags WHERE id = '{ID}b7'",
            *(0, 0, 1, f"{ID}b7"),
        ),
        "portfolio_target_prices": (
            "UPDATE portfolio_target_prices SET analyst_notes = 'buy'",
            *(0, 1, 0, f"{ID}a8"),
        ),
        "agent_conversations": ("UPDATE agent_conversations SET mode = 'blue'", 0, 1, 0, TALK),
        "agent_messages": (
            f"UPDATE agent_messages SET content = 'No.' WHERE id = '{ANSWER}'",
            *(0, 1, 0, ANSWER),
        ),
        "ai_memories": (
            f"INSERT INTO ai_memories (id, scope, content) VALUES ('{ID}f1', 'global', 'x')",
            *(1, 0, 0, f"{ID}f1"),
        ),
        "ai_feedback": ("UPDATE ai_feedback SET rating = 'down'", 0, 1, 0, f"{ID}d2"),
        "ai_kb_documents": (
            f"UPDATE ai_kb_documents SET scope = 'page:home' WHERE id = '{DOCUMENT}'",
            *(0, 1, 0, DOCUMENT),
        ),
    },
    {
        "positions": (
            f"UPDATE positions SET investment_class = 'PRIVATE' WHERE id = '{A_POSITION}'",
            *(0, 1, 0, A_POSITION),
        ),
        "stress_test_scenarios": (
            "UPDATE stress_test_scenarios SET scenario_id = 'market_down_10'",
            *(1, 0, 1, None),
        ),
    },
    {
        "positions": (
            "UPDATE positions SET last_price = 750, market_value = 7500",
            *(0, 1, 0, A_POSITION),
        ),
    },
]


@pytest.mark.parametrize("changes", PRICED, ids=["every table", "kinds", "a private price"])
def test_changes_in_legacy_are_the_price_until_they_are_copied(
    databases: Databases, changes: dict[str, tuple[str, int, int, int, str | None]]
) -> None:
    legacy, core, ai = databases
    run(legacy, "; ".join(change for change, *_ in changes.values()))
    price = swap_price(legacy, core, ai)
    assert set(price.tables) == set(changes)
    for table, (_, missing, different, deleted, example) in changes.items():
        found = price.tables[table]
        assert (found.missing, found.different, found.deleted) == (missing, different, deleted)
        assert found.rejected == 0
        assert example is None or found.examples == (example,)
        assert price.by_table[table] == missing + different + deleted
    assert price.total == sum(price.by_table[table] for table in changes)
    copy_delta(legacy, core, ai, OWNED)
    assert swap_price(legacy, core, ai).total == 0


def test_what_no_user_wrote_costs_nothing(databases: Databases) -> None:
    legacy, core, ai = databases
    run(
        legacy,
        "UPDATE users SET updated_at = now();"
        "UPDATE portfolios SET updated_at = now(), equity_balance = 1;"
        "UPDATE positions SET last_price = 1, market_value = 1, unrealized_pnl = 1"
        " WHERE investment_class IS NULL;"
        "UPDATE position_tags SET assigned_at = now();"
        "UPDATE ai_kb_documents SET embedding = NULL, metadata = metadata - 'embedding_model';"
        "UPDATE agent_conversations SET updated_at = now();"
        # a document that the product ships
        "INSERT INTO ai_kb_documents (scope, title, content, metadata) VALUES ('global',"
        f" '{SHIPPED.title}', '{SHIPPED.content}', '{{\"seed\": \"builtin\"}}')",
    )
    assert {
        table: rows for table, rows in swap_price(legacy, core, ai).by_table.items() if rows
    } == {}


def test_a_document_of_the_products_mark_that_it_does_not_ship_is_named(
    databases: Databases,
) -> None:
    legacy, core, ai = databases
    same, edited = builtin_documents()[:2]
    of_ours = replace(edited, id=uuid4(), title="Our own policy")
    with connect(legacy, application_name="tests", autocommit=True) as connection:
        for document in (same, replace(edited, content="As we see it."), of_ours):
            connection.execute(
                "INSERT INTO ai_kb_documents (id, scope, title, content, metadata)"
                " VALUES (%s, 'global', %s, %s, '{\"seed\": \"builtin\"}')",
                [document.id, document.title, document.content],
            )
    copy_delta(legacy, core, ai, OWNED)
    price = swap_price(legacy, core, ai)
    assert (price.by_table[EDITED], price.total, price.lasting(OWNED).total) == (2, 2, 2)
    assert price.advice() == (
        'documents with the product\'s mark that it does not ship (take "seed" out of the metadata'
        f" of one to keep it): 2, Our own policy; {edited.title}; swap with --accept-loss 2"
    )
    ids = f"'{edited.id}', '{of_ours.id}'"
    run(legacy, f"UPDATE ai_kb_documents SET metadata = '{{}}' WHERE id IN ({ids})")
    copy_delta(legacy, core, ai, OWNED)
    assert swap_price(legacy, core, ai).total == 0
    run(legacy, f"DELETE FROM ai_kb_documents WHERE id IN ('{same.id}', {ids})")
    copy_delta(legacy, core, ai, OWNED)


def test_a_row_that_the_new_pair_lost_is_the_price_and_comes_back(databases: Databases) -> None:
    legacy, core, ai = databases
    run(core, "DELETE FROM agent_messages")
    run(ai, "UPDATE ai_feedback SET comment = 'only here'")
    price = swap_price(legacy, core, ai)
    assert {table: rows for table, rows in price.by_table.items() if rows} == {
        "agent_messages": 2,
        "ai_feedback": 1,
    }
    copy_delta(legacy, core, ai, OWNED)
    assert swap_price(legacy, core, ai).total == 0


def test_a_document_is_known_by_what_it_says(databases: Databases) -> None:
    legacy, core, ai = databases
    document = "INSERT INTO ai_kb_documents (scope, title, content) VALUES ('global', 'T', '{}')"
    run(legacy, document.format("same"))
    run(ai, document.format("other"))
    assert swap_price(legacy, core, ai).by_table["ai_kb_documents"] == 1
    run(ai, "UPDATE ai_kb_documents SET content = 'same' WHERE title = 'T'")
    assert swap_price(legacy, core, ai).total == 0


def test_what_only_the_new_pair_has_costs_nothing(databases: Databases) -> None:
    legacy, core, ai = databases
    run(core, f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}f9', '{A_USER}', 'mine')")
    run(ai, "INSERT INTO ai_memories (scope, content) VALUES ('global', 'mine')")
    assert swap_price(legacy, core, ai).total == 0


def test_what_names_a_row_that_is_new_too_comes_with_it(databases: Databases) -> None:
    """A row of every table, whose parents are as new as itself."""
    legacy, core, ai = databases
    run(legacy, another_world("1"))
    price = swap_price(legacy, core, ai)
    assert price.by_table == ROWS
    assert price.lasting(OWNED).total == 0
    assert "did not fit" not in price.advice()
    copy_delta(legacy, core, ai, OWNED)
    assert swap_price(legacy, core, ai).total == 0
