"""Whatever users write, the price is what a model of it says, and an import brings it back."""

import tempfile
from pathlib import Path
from uuid import UUID

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL
from users_rows import (
    BOB,
    CHAT,
    Pair,
    contents,
    empty,
    export_losses,
    fill,
    rollback_price,
    run,
    session_of,
)

from ops.carrying.baseline import record_baseline
from ops.carrying.import_file import import_losses

Model = dict[tuple[str, int], str]
Write = tuple[str, int, str | None]  # table, row, and what it says; None: it goes

# Table → how a row is written, and the half that it is in.
_TABLES = {
    "tags_v2": (
        "core",
        f"INSERT INTO tags_v2 (id, user_id, name, description) VALUES (%s, '{BOB}', %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET description = EXCLUDED.description, updated_at = now()",
    ),
    "agent_messages": (
        "core",
        "INSERT INTO agent_messages (id, conversation_id, role, provider_message_id, content,"
        f" tool_calls, created_at) VALUES (%s, '{CHAT}', 'user', %s, %s, '[]', now())"
        " ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content",
    ),
    "ai_memories": (
        "ai",
        "INSERT INTO ai_memories (id, scope, content) VALUES (%s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content",
    ),
}
_ROWS = 4
_BASE = {(table, row): "as it was" for table in _TABLES for row in range(2)}

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('\\\n\t"\r'),
    max_size=12,
)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(sorted(_TABLES)),
        st.integers(0, _ROWS - 1),
        st.none() | st.just("as it was") | TEXTS,
    ),
    max_size=12,
)


def _apply(pair: Pair, writes: list[Write]) -> None:
    with session_of(pair.core) as core, session_of(pair.ai) as ai:
        for table, row, text in writes:
            half, insert = _TABLES[table]
            _write(core if half == "core" else ai, table, insert, row, text)


def _write(
    session: psycopg.Connection, table: str, insert: str, row: int, text: str | None
) -> None:
    key = UUID(int=1000 + row)
    if text is None:
        session.execute(f"DELETE FROM {table} WHERE id = %s".encode(), [key])
    else:
        session.execute(insert.encode(), [key, f"row {row}", text])


def _modelled(writes: list[Write]) -> Model:
    model: Model = dict(_BASE)
    for table, row, text in writes:
        model.pop((table, row), None)
        if text is not None:
            model[table, row] = text
    return model


def _expected(model: Model) -> dict[str, tuple[int, int, int]]:
    found = {}
    for table in _TABLES:
        old = {row: text for (name, row), text in _BASE.items() if name == table}
        new = {row: text for (name, row), text in model.items() if name == table}
        changed = sum(new[row] != old[row] for row in old.keys() & new.keys())
        counts = (len(new.keys() - old.keys()), changed, len(old.keys() - new.keys()))
        if any(counts):
            found[table] = counts
    return found


def _as_the_swap_left_it(core: URL, ai: URL) -> Pair:
    empty(core, ai)
    fill(core, ai)
    _apply(Pair(core, ai), [(table, row, text) for (table, row), text in _BASE.items()])
    return Pair(core, ai)


EXAMPLES = settings().max_examples // 8


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(WRITES)
def test_any_writes_are_priced_exactly_and_come_back(
    users_databases: list[URL], writes: list[Write]
) -> None:
    pair = _as_the_swap_left_it(*users_databases[:2])
    other = _as_the_swap_left_it(*users_databases[2:4])
    record_baseline(*pair)

    _apply(pair, writes)

    price = rollback_price(*pair)
    assert {
        table.table: (table.inserted, table.updated, table.deleted) for table in price.tables
    } == _expected(_modelled(writes))
    with tempfile.TemporaryDirectory() as folder:
        export_losses(*pair, Path(folder) / "losses")
        report = import_losses(Path(folder) / "losses", *other)
        assert (report.written, report.conflicts) == (price.total, 0)
        assert contents(*other) == contents(*pair)
        assert import_losses(Path(folder) / "losses", *other).written == 0
    run(pair.core, "UPDATE ops.cutover_baseline_moment SET seen = '{}'")
    assert rollback_price(*pair) == price, "read whole, the tables say the same"


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(WRITES)
def test_a_baseline_brought_up_to_date_is_one_recorded_anew(
    users_databases: list[URL], writes: list[Write]
) -> None:
    pair = _as_the_swap_left_it(*users_databases[:2])
    record_baseline(*pair)
    _apply(pair, writes)

    record_baseline(*pair)

    updated = _baseline(pair)
    run(pair.core, "DELETE FROM ops.cutover_baseline")
    run(pair.core, "DELETE FROM ops.cutover_baseline_moment")
    record_baseline(*pair)
    assert _baseline(pair) == updated


def _baseline(pair: Pair) -> list[tuple[object, ...]]:
    with session_of(pair.core) as core:
        return core.execute(
            "SELECT table_name, key, digest FROM ops.cutover_baseline ORDER BY table_name, key"
        ).fetchall()
