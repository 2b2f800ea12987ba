"""What a rollback loses goes into one file, and from there into whichever pair serves."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy.engine import URL
from users_rows import (
    APPLE,
    Pair,
    contents,
    export_losses,
    exported,
    fill,
    rollback_price,
    rows_of,
    run,
    write_everything,
)

from ops.carrying.baseline import record_baseline
from ops.carrying.import_file import import_losses
from ops.connection import connect
from ops.copy.stream import csv_of
from ops.errors import BadInputError, ConfigurationError, RefusedError
from tests.groups import soaked_unless


def test_what_was_exported_is_imported_whole_into_another_pair_and_the_old_database(
    pair: Pair, other: Pair, legacy: URL, tmp_path: Path
) -> None:
    write_everything(*pair)
    price = rollback_price(*pair)
    file = tmp_path / "losses.zip"
    before = contents(*other)

    assert export_losses(*pair, file) == price.total
    assert {table: len(rows) for table, rows in exported(file).items()} == dict(price.by_table)

    first = import_losses(file, *other)
    assert (first.written, first.conflicts, first.conflicts_file) == (price.total, 0, None)
    assert contents(*other) == contents(*pair) != before

    second = import_losses(file, *other)
    assert (second.written, second.conflicts) == (0, 0)
    assert sum(table.already for table in second.tables) == price.total
    assert contents(*other) == contents(*pair)
    for half, table, order in (
        ("core", "agent_messages", "conversation_id"),
        ("core", "users", "email"),
        ("ai", "ai_kb_documents", "title"),
    ):
        query = f"SELECT md5(t::text) FROM {table} AS t ORDER BY {order}, id"
        assert rows_of(getattr(other, half), query) == rows_of(getattr(pair, half), query)

    assert import_losses(file, legacy, legacy).conflicts == 0
    assert contents(legacy, legacy) == contents(*pair)
    assert import_losses(file, legacy, legacy).written == 0


def test_what_a_batch_rolled_forward_is_not_rolled_back_by_an_update(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    run(pair.core, "UPDATE portfolios SET name = 'Mine'")
    run(pair.core, "UPDATE positions SET quantity = 3, market_value = 7")
    export_losses(*pair, tmp_path / "losses")
    run(other.core, "UPDATE portfolios SET equity_balance = 5, updated_at = now()")
    run(other.core, "UPDATE positions SET market_value = 11")

    assert import_losses(tmp_path / "losses", *other).conflicts == 0

    assert rows_of(other.core, "SELECT name, equity_balance::int FROM portfolios") == [("Mine", 5)]
    assert rows_of(
        other.core, "SELECT DISTINCT quantity::int, market_value::int FROM positions"
    ) == [(3, 11)]


def test_the_value_of_a_private_asset_is_the_users(pair: Pair, other: Pair, tmp_path: Path) -> None:
    """No batch writes it, so nothing but the file would bring it back."""
    for core in (pair.core, other.core):
        run(core, "UPDATE positions SET investment_class = 'PRIVATE' WHERE id = %s", APPLE)
    record_baseline(*pair)
    run(pair.core, "UPDATE positions SET market_value = 7500, last_price = 75")
    assert export_losses(*pair, tmp_path / "losses") == 1

    assert import_losses(tmp_path / "losses", *other).written == 1

    query = "SELECT market_value::int, last_price::int FROM positions ORDER BY id"
    assert rows_of(other.core, query) == [(7500, 75), (-4800, None)]


_SHAPES = {
    "other types": (
        "ALTER TABLE positions ALTER position_type TYPE text, ALTER quantity TYPE numeric",
        "ALTER TABLE agent_conversations ALTER metadata TYPE json",
        "ALTER TABLE users ALTER created_at TYPE timestamp, ALTER updated_at TYPE timestamp",
    ),
    "columns that are not needed": (
        "ALTER TABLE positions ADD internal_note text DEFAULT 'x', DROP realized_pnl",
        "ALTER TABLE agent_messages DROP provider_message_id, DROP latency_ms",
        "ALTER TABLE users DROP updated_at",
    ),
}


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(statements, id=name, marks=soaked_unless(name == "other types"))
        for name, statements in _SHAPES.items()
    ],
)
def test_an_old_database_of_another_shape_takes_it_too(
    pair: Pair, old_shape: URL, tmp_path: Path, statements: tuple[str, ...]
) -> None:
    fill(old_shape, old_shape)
    run(old_shape, "; ".join(statements))
    write_everything(*pair)
    total = export_losses(*pair, tmp_path / "losses")

    report = import_losses(tmp_path / "losses", old_shape, old_shape)

    assert (report.written, report.conflicts) == (total, 0)
    assert import_losses(tmp_path / "losses", old_shape, old_shape).written == 0


def test_an_export_is_its_owner_s_alone_and_replaces_nothing(pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "losses.zip"
    run(pair.core, "UPDATE users SET hashed_password = 'h'")

    export_losses(*pair, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["losses.zip"]
    content = file.read_bytes()

    record_baseline(*pair)
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (file, tmp_path / "notes", tmp_path / "link", tmp_path):
        with pytest.raises(RefusedError, match="exists already and is not overwritten"):
            export_losses(*pair, taken)
    assert file.read_bytes() == content
    assert (tmp_path / "notes").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_an_export_of_the_same_swap_takes_the_place_of_an_earlier_one(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    """What it holds is still there, so that a rollback that was killed can be given again."""
    file = tmp_path / "losses.zip"
    run(pair.core, "UPDATE users SET hashed_password = 'h'")
    export_losses(*pair, file)
    (tmp_path / "link").symlink_to(file)
    (tmp_path / ".losses.zip.part").write_text("cut off")
    run(pair.core, "UPDATE positions SET quantity = 7")

    with pytest.raises(RefusedError, match="exists already"):
        export_losses(*pair, tmp_path / "link")
    assert export_losses(*pair, file) == 4

    assert sorted(os.listdir(tmp_path)) == ["link", "losses.zip"]
    assert import_losses(file, *other).written == 4
    run(pair.core, "UPDATE ops.cutover_baseline_moment SET recorded_at = now()")
    with pytest.raises(RefusedError, match="exists already"):
        export_losses(*pair, file)


def test_an_export_that_cannot_be_written_leaves_no_file(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="there is no folder"):
        export_losses(*pair, tmp_path / "none" / "losses")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ops.carrying.export.os.fsync", full)
    with pytest.raises(ConfigurationError, match=r"cannot be written \(No space left on device\)"):
        export_losses(*pair, tmp_path / "losses")
    assert os.listdir(tmp_path) == []


def test_without_a_swap_there_is_nothing_to_export(
    core_url: URL, ai_url: URL, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match="no swap is in force"):
        export_losses(core_url, ai_url, tmp_path / "losses")
    assert os.listdir(tmp_path) == []


def test_nothing_to_lose_is_a_whole_file_too(pair: Pair, other: Pair, tmp_path: Path) -> None:
    assert export_losses(*pair, tmp_path / "losses") == 0
    report = import_losses(tmp_path / "losses", *other)
    assert (report.written, report.lines()) == (0, ["the file holds no changes"])


def test_whoever_fails_among_the_rows_leaves_their_session_free(core_url: URL) -> None:
    """Else the ROLLBACK of its block waits for the COPY that the failure keeps open, for ever."""
    many = sql.SQL("SELECT generate_series(1, 100000)")
    with connect(core_url, application_name="tests") as session:
        with suppress(ZeroDivisionError), csv_of(session, many) as rows:
            for row in rows:
                raise ZeroDivisionError(row)
        assert not session.lock.locked()
        session.rollback()
