"""A rollback carries back what users wrote: exactly that, and nothing else of the old database."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy.engine import URL
from users_rows import (
    ALICE,
    APPLE,
    BOB,
    BOOK,
    CHAT,
    TAGGED,
    TESLA,
    Pair,
    contents,
    reshape,
    rows_of,
    run,
    write_everything,
)

from ops.carrying.carry_back import carrying_sessions
from ops.carrying.changes import Changes
from ops.carrying.rollback_price import RollbackPrice
from ops.errors import FencedOutError, RefusedError
from ops.write_lock.lock import release_any_lock
from tests.groups import soaked_unless


@pytest.fixture
def locked(pair: Pair, legacy: URL) -> Iterator[URL]:
    """The old database, as the swap of `pair` has left it."""
    reshape(legacy)
    yield legacy
    reshape(legacy, lock=False)


def carry(pair: Pair, legacy: URL, **how: object) -> RollbackPrice:
    with carrying_sessions(*pair, legacy) as carrying:
        return carrying.carry_back(**how)  # type: ignore[arg-type]


def tried(pair: Pair, legacy: URL) -> RollbackPrice:
    with carrying_sessions(*pair, legacy) as carrying:
        return carrying.tried()[0]


def test_every_kind_of_row_is_carried_back_whole(pair: Pair, locked: URL) -> None:
    write_everything(*pair)

    beforehand = tried(pair, locked)
    assert beforehand.total == 0
    assert contents(locked, locked) != contents(*pair)

    assert carry(pair, locked).carried == beforehand.carried
    assert contents(locked, locked) == contents(*pair)
    times = "SELECT id, created_at, updated_at FROM users ORDER BY email"
    assert rows_of(locked, times) == rows_of(pair.core, times)

    again = carry(pair, locked)
    assert (again.total, again.carried) == (0, ())


def test_only_what_changed_is_written(pair: Pair, locked: URL) -> None:
    """What the copy read otherwise than it stands there stays in the old database's own words."""
    reshape(
        locked,
        "ALTER TABLE positions ADD COLUMN broker text NOT NULL DEFAULT 'none'",
        f"UPDATE positions SET entry_price = 1.5, broker = 'ours' WHERE id = '{APPLE}'",
    )
    try:
        run(pair.core, "UPDATE positions SET notes = 'kept' WHERE id = %s", APPLE)
        assert carry(pair, locked).total == 0
        query = "SELECT notes, entry_price, broker FROM positions WHERE id = %s"
        assert [(str(a), float(str(b)), c) for a, b, c in rows_of(locked, query, APPLE)] == [
            ("kept", 1.5, "ours")
        ]
    finally:
        reshape(locked, "ALTER TABLE positions DROP COLUMN broker")


def test_addresses_that_users_exchange_are_exchanged(pair: Pair, locked: URL) -> None:
    run(
        pair.core,
        "UPDATE users SET email = 'parked' WHERE id = %s",
        ALICE,
    )
    run(pair.core, "UPDATE users SET email = 'alice@example.com' WHERE id = %s", BOB)
    run(pair.core, "UPDATE users SET email = 'bob@example.com' WHERE id = %s", ALICE)

    assert carry(pair, locked).total == 0

    assert contents(locked, locked) == contents(*pair)


def test_what_was_computed_of_a_deleted_row_goes_with_it(pair: Pair, locked: URL) -> None:
    reshape(
        locked,
        "INSERT INTO position_greeks (id, position_id, calculation_date, created_at, updated_at)"
        f" VALUES (gen_random_uuid(), '{TESLA}', '2025-12-01', now(), now())",
    )
    run(pair.core, "DELETE FROM positions WHERE id = %s", TESLA)

    assert carry(pair, locked).total == 0

    assert rows_of(locked, "SELECT 1 FROM position_greeks") == []
    assert contents(locked, locked) == contents(*pair)


def test_what_is_computed_is_not_carried_and_shown_as_of_its_day(pair: Pair, locked: URL) -> None:
    snapshot = (
        "INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value, cash_value,"
        " long_value, short_value, gross_exposure, net_exposure, num_positions,"
        " num_long_positions, num_short_positions, created_at)"
        f" VALUES ('{APPLE}', '{BOOK}', '{{}}', 1, 1, 1, 1, 1, 1, 1, 1, 1, now())"
    )
    reshape(locked, snapshot.format("2025-12-01"))
    run(pair.core, snapshot.format("2025-12-09"))

    price = tried(pair, locked)
    assert carry(pair, locked).carried == ()

    assert "portfolio_snapshots 1; the old database shows it as of 2025-12-01" in price.lines()[-1]
    assert rows_of(locked, "SELECT snapshot_date::text FROM portfolio_snapshots") == [
        ("2025-12-01",)
    ]


def test_a_carried_row_is_a_copied_row(pair: Pair, locked: URL) -> None:
    """Or it would come back, when the old database's users have deleted it, at the next swap."""
    new = uuid4()
    run(pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'new')", new, ALICE)
    run(pair.core, "INSERT INTO ops.copied_keys VALUES ('position_tags', %s)", TAGGED)
    run(pair.core, "DELETE FROM position_tags WHERE id = %s", TAGGED)

    carry(pair, locked)

    known = "SELECT key FROM ops.copied_keys WHERE key = ANY(%s)"
    assert rows_of(pair.core, known, [new, TAGGED]) == [(new,)]


def killed_carrying(pair: Pair, legacy: URL) -> None:
    """One that is killed when the old database has the rows, before Core knows of them."""
    asked = iter([False, True])

    def guard(_core: object) -> None:
        if next(asked):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(pair, legacy, guard=guard)


def test_a_killed_carrying_is_known_to_the_next(pair: Pair, locked: URL) -> None:
    """What users change meanwhile is no contradiction."""
    notes = "SELECT DISTINCT notes FROM positions"
    run(pair.core, "UPDATE positions SET notes = 'first', updated_at = now()")
    killed_carrying(pair, locked)
    assert rows_of(locked, notes) == [("first",)]
    run(pair.core, "UPDATE positions SET notes = 'second', updated_at = now()")

    assert carry(pair, locked).total == 0

    assert rows_of(locked, notes) == [("second",)]


def test_what_a_killed_carrying_wrote_goes_when_users_delete_it(pair: Pair, locked: URL) -> None:
    new, there = uuid4(), "SELECT 1 FROM tags_v2 WHERE id = %s"
    run(pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'new')", new, ALICE)
    killed_carrying(pair, locked)
    assert rows_of(locked, there, new) == [(1,)]
    run(pair.core, "DELETE FROM tags_v2 WHERE id = %s", new)

    assert carry(pair, locked).total == 0

    assert rows_of(locked, there, new) == []


def test_a_run_that_was_overtaken_carries_nothing(pair: Pair, locked: URL) -> None:
    run(pair.core, "UPDATE positions SET notes = 'late'")

    def overtaken(_core: object) -> None:
        raise FencedOutError

    with pytest.raises(FencedOutError):
        carry(pair, locked, guard=overtaken)

    assert rows_of(locked, "SELECT DISTINCT notes FROM positions") == [(None,)]


_OBSTACLES = {
    "a NOT NULL that only the old database has": (
        "ALTER TABLE tags_v2 ADD COLUMN shop text; UPDATE tags_v2 SET shop = '';"
        " ALTER TABLE tags_v2 ALTER shop SET NOT NULL",
        "ALTER TABLE tags_v2 DROP COLUMN shop",
        "null value in column",
    ),
    "a narrower column": (
        "ALTER TABLE tags_v2 ALTER name TYPE varchar(6)",
        "ALTER TABLE tags_v2 ALTER name TYPE varchar(50)",
        "value too long",
    ),
    "a rule of its own": (
        "ALTER TABLE tags_v2 ADD CONSTRAINT short CHECK (name <> 'carried')",
        "ALTER TABLE tags_v2 DROP CONSTRAINT short",
        "violates check constraint",
    ),
}


# That a server refuses a row by one rule or another makes no difference.
_EACH_RUN = {"a rule of its own"}


@pytest.mark.parametrize(
    ("make", "unmake", "reason"),
    [
        pytest.param(*case, id=name, marks=soaked_unless(name in _EACH_RUN))
        for name, case in _OBSTACLES.items()
    ],
)
def test_what_the_old_database_cannot_hold_is_the_price(
    pair: Pair, locked: URL, make: str, unmake: str, reason: str
) -> None:
    reshape(locked, make)
    new = uuid4()
    seen: list[tuple[object, ...]] = []

    def accept(changes: Changes, price: RollbackPrice) -> None:
        seen.extend(changes.core.execute("SELECT table_name, key FROM cutover_changes"))
        raise RefusedError(price.example)

    insert = "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'carried')"
    run(pair.core, insert, new, ALICE)
    run(pair.core, "UPDATE users SET full_name = 'Alice B.' WHERE id = %s", ALICE)
    try:
        with pytest.raises(RefusedError, match=f"{new}: .*{reason}"):
            carry(pair, locked, accept=accept)
        assert seen == [("tags_v2", new)]
        assert rows_of(locked, "SELECT full_name FROM users WHERE id = %s", ALICE) == [("Alice",)]

        price = carry(pair, locked)
        assert price.by_table == {"tags_v2": 1}
        assert rows_of(locked, "SELECT full_name FROM users WHERE id = %s", ALICE) != [("Alice",)]
        assert carry(pair, locked).by_table == {"tags_v2": 1}, "it stays the price"
    finally:
        reshape(locked, unmake)


def test_a_deletion_that_reaches_an_unknown_table_is_the_price(pair: Pair, locked: URL) -> None:
    reshape(
        locked,
        "CREATE TABLE votes (chat uuid REFERENCES agent_conversations ON DELETE CASCADE)",
        f"INSERT INTO votes VALUES ('{CHAT}')",
    )
    try:
        run(pair.core, "DELETE FROM agent_messages")
        run(pair.core, "DELETE FROM agent_conversations")
        assert carry(pair, locked).by_table == {"agent_conversations": 1}
        assert rows_of(locked, "SELECT chat FROM votes") == [(CHAT,)]
    finally:
        reshape(locked, "DROP TABLE votes")


def test_nothing_is_carried_beside_another_lock(pair: Pair, locked: URL) -> None:
    run(pair.core, "UPDATE positions SET notes = 'stale'")
    with carrying_sessions(*pair, locked) as carrying:

        def another(_changes: Changes, _price: RollbackPrice) -> None:
            release_any_lock(locked)
            run(locked, "UPDATE positions SET notes = 'a user''s'")

        with pytest.raises(Exception, match="went away"):
            carrying.carry_back(another)

    assert rows_of(locked, "SELECT DISTINCT notes FROM positions") == [("a user's",)]
    with pytest.raises(RefusedError, match="not under the lock"):
        carry(pair, locked)
