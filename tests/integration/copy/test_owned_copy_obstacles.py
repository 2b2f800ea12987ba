"""The copy of users' rows where something is in its way: taken keys, kills, locks, a swap."""

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.books.cutovers import begin_cutover, end_cutover
from ops.carrying.swap_price import swap_price
from ops.connection import connect
from ops.copy import copy_delta, copy_group
from ops.demo.legacy import create_legacy
from ops.demo.prices import generate_prices
from ops.embedded.server import EmbeddedServer
from ops.errors import (
    BadInputError,
    DatabaseUnavailableError,
    FencedOutError,
    RefusedError,
)
from ops.evidence.cutovers import refuse_after_swap
from ops.seed import seed
from tests.groups import soaked
from tests.integration.copy.conftest import Copied, Run
from tests.integration.copy.owned_world import (
    A_USER,
    ID,
    MEMORY,
    OWNED,
    ROWS,
    copied,
    counts,
    tables,
)


def test_a_taken_address_rejects_the_user_and_all_that_hangs_on_it_until_it_is_free(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    run(
        core_url,
        f"INSERT INTO users VALUES ('{ID}ff', 'a@example.com', 'h', 'Seeded', true, now(), now())",
    )
    found = copied(owned_url, core_url, ai_url)
    assert found["users"].rejected == {"email is taken under another id": 1}
    assert found["portfolios"].rejected == {"user_id names no row of users": 1}
    assert found["agent_conversations"].rejected == {"user_id names no row of users": 1}
    assert found["ai_feedback"].rejected == {"message_id names no row of agent_messages": 1}
    [(reason, data)] = run(
        core_url, "SELECT reason, row_data FROM ops.copy_rejects WHERE table_name = 'users'"
    )
    assert reason == (
        "email a@example.com is taken under another id; delete that row of users in the new pair, "
        "or correct legacy, and copy again"
    )
    assert data["id"] == A_USER
    assert "hashed_password" not in data
    price = swap_price(owned_url, core_url, ai_url)
    assert price.by_table["users"] == 1
    assert price.tables["users"].examples == (A_USER,)
    assert price.total == sum(one.rejected_rows for one in found.values())
    run(core_url, f"DELETE FROM users WHERE id = '{ID}ff'")
    copied(owned_url, core_url, ai_url)
    assert counts(core_url, ai_url) == ROWS
    assert run(core_url, "SELECT count(*) FROM ops.copy_rejects") == [(0,)]
    assert swap_price(owned_url, core_url, ai_url).total == 0


@pytest.mark.soak
def test_chat_that_is_copied_before_its_users_finds_its_place_later(
    run: Run, owned_url: URL, core_url: URL
) -> None:
    early = copy_group(owned_url, core_url, "chat")
    assert [one.rejected_rows for one in early.tables] == [1, 2]
    assert copy_group(owned_url, core_url, "chat").tables[0].rejected_rows == 1
    copy_group(owned_url, core_url, "users")
    late = copy_group(owned_url, core_url, "chat")
    assert [(one.inserted, one.rejected_rows) for one in late.tables] == [(1, 0), (2, 0)]


def _copied_if_allowed(legacy: URL, core: URL, ai: URL, allowed: int) -> bool:
    """Copy until the guard refuses, after so many transactions; whether it never did."""
    left = iter(range(allowed))

    def guard(connection: psycopg.Connection) -> None:
        connection.execute("SELECT FROM ops.fencing FOR SHARE")
        if next(left, None) is None:
            raise FencedOutError("a newer run has taken over")

    try:
        copy_delta(legacy, core, ai, OWNED, guard=guard)
    except FencedOutError:
        return False
    return True


def test_a_fenced_out_run_leaves_each_table_as_it_was_or_complete(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    """The guard lets one transaction more pass each time; the last run finishes."""
    allowed, before = 0, dict.fromkeys(ROWS, 0)
    while not _copied_if_allowed(owned_url, core_url, ai_url, allowed):
        now = counts(core_url, ai_url)
        assert all(now[table] in (before[table], ROWS[table]) for table in ROWS)
        before, allowed = now, allowed + 1
    assert allowed >= 3
    assert counts(core_url, ai_url) == ROWS
    assert swap_price(owned_url, core_url, ai_url).total == 0


def test_what_ai_committed_when_core_was_lost_is_known_to_the_next_copy(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    copy_delta(owned_url, core_url, ai_url, ("users", "chat"))
    calls = 0

    def guard(core: psycopg.Connection) -> None:
        """Before each table AI's keys are noted; then comes the table itself."""
        nonlocal calls
        calls += 1
        if calls == 2:
            pid = core.info.backend_pid
            run(core_url, "SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(DatabaseUnavailableError):
        copy_group(owned_url, core_url, "ai", ai_url=ai_url, guard=guard)
    assert run(ai_url, "SELECT id::text FROM ai_memories") == [(MEMORY,)]
    assert run(
        core_url, "SELECT count(*) FROM ops.copy_fingerprints WHERE table_name = 'ai_memories'"
    ) == [(0,)]
    run(owned_url, "DELETE FROM ai_memories")
    copied(owned_url, core_url, ai_url)
    assert run(ai_url, "SELECT count(*) FROM ai_memories") == [(0,)]


def test_tables_that_are_locked_against_writes_are_read(run: Run, world_copied: Copied) -> None:
    run(world_copied[0], "UPDATE ai_feedback SET comment = 'late'")
    with connect(world_copied[0], application_name="cutover lock") as lock:
        for table in ROWS:
            lock.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE".encode())
            lock.execute(
                f"CREATE TRIGGER stop BEFORE INSERT OR UPDATE OR DELETE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()".encode()
            )
        assert copied(*world_copied)["ai_feedback"].updated == 1
        assert swap_price(*world_copied).total == 0


def test_core_and_ai_may_be_one_database(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL, owned_template: str
) -> None:
    run(
        core_url,
        "CREATE EXTENSION IF NOT EXISTS vector;"
        "CREATE TABLE ai_memories (id uuid PRIMARY KEY, user_id uuid, tenant_id uuid,"
        " scope varchar(20) NOT NULL, content text NOT NULL, tags jsonb NOT NULL,"
        " created_at timestamptz NOT NULL);"
        "CREATE TABLE ai_feedback (id uuid PRIMARY KEY, message_id uuid NOT NULL,"
        " rating varchar(10) NOT NULL, edited_text text, comment text,"
        " created_at timestamptz NOT NULL);"
        "CREATE TABLE ai_kb_documents (id uuid PRIMARY KEY, scope varchar(100) NOT NULL,"
        " title varchar(500) NOT NULL, content text NOT NULL, metadata jsonb NOT NULL,"
        " created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,"
        " embedding vector(1536))",
    )
    copied(owned_url, core_url, core_url)
    assert counts(core_url, core_url) == ROWS
    run(owned_url, "DELETE FROM ai_feedback")
    copied(owned_url, core_url, core_url)
    assert run(core_url, "SELECT count(*) FROM ai_feedback") == [(0,)]


@pytest.mark.parametrize(
    ("metadata", "users"),
    [
        ('{"from": {"route": "/verification"}}', 1),
        *soaked(
            ('{"portfolio_id": null, "route": "/verification"}', 0),
            ('{"note": "\\"route\\": \\"/verification\\""}', 1),
        ),
    ],
)
def test_what_verification_wrote_is_nobodys(
    run: Run, owned_url: URL, core_url: URL, ai_url: URL, metadata: str, users: int
) -> None:
    run(owned_url, "UPDATE users SET email = 'demo_hnw@sigmasight.com' WHERE full_name = 'A'")
    run(owned_url, "UPDATE agent_conversations SET metadata = %s", [metadata])
    price = swap_price(owned_url, core_url, ai_url)
    for table in ("agent_conversations", "agent_messages", "ai_feedback", "ai_memories"):
        assert price.by_table[table] == users * ROWS[table]
    found = copied(owned_url, core_url, ai_url)
    assert found["agent_conversations"].source_rows == users
    assert run(core_url, "SELECT count(*) FROM agent_messages") == [(2 * users,)]


@pytest.mark.soak
def test_a_seeded_demo_pair_gets_its_passwords_and_nothing_else(
    run: Run, core_url: URL, ai_url: URL, server: EmbeddedServer, legacy_template: str
) -> None:
    legacy = server.url(legacy_template)
    seed(core_url, demo_password="demo", legacy_url=legacy)
    assert swap_price(legacy, core_url, ai_url).total == 0
    found = tables(copy_delta(legacy, core_url, ai_url, ("market", *OWNED)))
    changed = {name: one.inserted + one.updated for name, one in found.items() if name in ROWS}
    assert {name: rows for name, rows in changed.items() if rows} == {
        "users": found["users"].accepted
    }
    assert not any(seed(core_url, demo_password="demo", legacy_url=legacy).written.values())
    again = tables(copy_delta(legacy, core_url, ai_url, ("market", *OWNED)))
    assert {one.path for one in again.values()} <= {"unchanged", "absent"}
    passwords = "SELECT id, hashed_password FROM users ORDER BY id"
    assert run(core_url, passwords) == run(legacy, passwords)
    assert create_legacy(legacy, generate_prices(), demo_password="demo").created is False


def test_nothing_is_copied_while_a_swap_is_in_force(core_url: URL) -> None:
    refuse_after_swap(core_url)
    swap = begin_cutover(core_url, "swap", "plan", {}, 0)
    with pytest.raises(RefusedError, match=r"a swap was killed at 'begun'.*sigmasight swap` again"):
        refuse_after_swap(core_url)
    end_cutover(core_url, swap, "done", {})
    with pytest.raises(RefusedError, match=r"the swap is in force.*sigmasight rollback"):
        refuse_after_swap(core_url)
    back = begin_cutover(core_url, "rollback", "plan", {}, 0)
    end_cutover(core_url, back, "done", {})
    refuse_after_swap(core_url)


def test_the_ai_group_needs_an_ai_database_that_is_not_legacy(
    owned_url: URL, core_url: URL
) -> None:
    with pytest.raises(BadInputError, match="set AI_DATABASE_URL"):
        copy_group(owned_url, core_url, "ai")
    with pytest.raises(BadInputError, match="legacy and AI are the same database"):
        copy_group(owned_url, core_url, "ai", ai_url=owned_url)
