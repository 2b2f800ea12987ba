"""What a price is counted from: recorded by a swap, void after a rollback."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL
from users_rows import QUESTION, RATING, Pair, fill, rollback_price, run, session_of

from app.models import AiBase, Base
from ops.books.cutovers import begin_cutover, end_cutover
from ops.books.run_lock import exclusive_run
from ops.carrying.baseline import record_baseline
from ops.errors import FencedOutError, RefusedError
from ops.user_tables import USER_TABLES, content_digest, row_digests


def test_without_a_swap_there_is_no_price(core_url: URL, ai_url: URL) -> None:
    with pytest.raises(RefusedError, match="no swap is in force"):
        rollback_price(core_url, ai_url)

    assert record_baseline(core_url, ai_url) == 0  # a pair without users is a baseline too
    assert rollback_price(core_url, ai_url).total == 0
    assert rollback_price(core_url, ai_url).summary() == "nothing"


@pytest.mark.parametrize(("kind", "state"), [("rollback", "done"), ("swap", "undone")])
def test_a_baseline_holds_until_a_rollback_and_is_replaced_by_the_next_swap(
    pair: Pair, kind: str, state: str
) -> None:
    core, ai = pair.core, pair.ai
    run(core, "UPDATE positions SET quantity = 7")
    assert rollback_price(core, ai).total == 2

    end_cutover(core, begin_cutover(core, "rollback", "p", {}, 0), "undone", {})
    assert rollback_price(core, ai).total == 2
    end_cutover(core, begin_cutover(core, kind, "p", {}, 0), state, {})  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="no swap is in force"):
        rollback_price(core, ai)

    begun = begin_cutover(core, "swap", "p", {}, 0)
    record_baseline(core, ai)
    assert rollback_price(core, ai).total == 0
    end_cutover(core, begun, "done", {})
    assert rollback_price(core, ai).total == 0


def test_a_baseline_of_a_run_that_was_overtaken_is_not_recorded(pair: Pair) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")
    with exclusive_run(pair.core) as first:
        pass
    with exclusive_run(pair.core) as second:
        with pytest.raises(FencedOutError):
            record_baseline(pair.core, pair.ai, guard=first.check)
        assert rollback_price(*pair).total == 2

        record_baseline(pair.core, pair.ai, guard=second.check)
    assert rollback_price(*pair).total == 0


def test_a_baseline_that_fails_leaves_the_former_one(pair: Pair) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")

    def killed(_core: psycopg.Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_baseline(pair.core, pair.ai, guard=killed)

    assert rollback_price(*pair).total == 2


def test_one_database_that_is_both_halves_is_priced_as_two(shared_url: URL) -> None:
    fill(shared_url, shared_url)
    record_baseline(shared_url, shared_url)

    run(shared_url, "DELETE FROM agent_messages WHERE id = %s", QUESTION)
    run(shared_url, "DELETE FROM ai_feedback WHERE id = %s", RATING)

    assert rollback_price(shared_url, shared_url).by_table == {
        "agent_messages": 1,
        "ai_feedback": 1,
    }


def test_a_row_has_one_digest_by_whichever_name_it_goes(pair: Pair) -> None:
    for table in USER_TABLES:
        with session_of(getattr(pair, table.database)) as session:
            query = sql.SQL("SELECT t.id, {} FROM {} AS t").format(
                content_digest(table, "t"), sql.Identifier(table.name)
            )
            assert set(session.execute(query)) == set(session.execute(row_digests(table)))


def test_every_table_of_a_pair_is_somebody_s_or_tells_when_it_was_written() -> None:
    """What is neither owned by users nor stamped would be lost without a word."""
    owned = {table.name for table in USER_TABLES}
    for table in (*Base.metadata.sorted_tables, *AiBase.metadata.sorted_tables):
        if table.name in owned:
            continue
        stamped = {"created_at", "updated_at"} & set(table.columns.keys())
        assert stamped or table.foreign_keys, table.name
