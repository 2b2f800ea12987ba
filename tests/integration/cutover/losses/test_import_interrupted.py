"""An import that is cut off, refused, or meets others at work."""

import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL
from users_rows import (
    APPLE,
    Pair,
    contents,
    export_losses,
    reshape,
    rows_of,
    run,
    write_everything,
)

from ops.carrying.import_file import ImportReport, import_losses
from ops.connection import connect
from ops.errors import BusyError, DatabaseUnavailableError, RefusedError, WrongDatabaseError


def test_an_import_that_is_refused_leaves_both_databases_and_one_that_is_killed_is_finished(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    write_everything(*pair)
    total = export_losses(*pair, tmp_path / "losses")
    before, wanted = contents(*other), contents(*pair)

    def overtaken(_core: psycopg.Connection) -> None:
        raise RefusedError("overtaken")

    with pytest.raises(RefusedError, match="overtaken"):
        import_losses(tmp_path / "losses", *other, guard=overtaken)
    assert contents(*other) == before

    def cut_off_ai(core: psycopg.Connection) -> None:
        core.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name = 'sigmasight import'",
            [other.ai.database],
        )

    with pytest.raises(DatabaseUnavailableError):
        import_losses(tmp_path / "losses", *other, guard=cut_off_ai)
    core = contents(*other)
    assert core["users"] == wanted["users"]
    assert core["ai_memories"] != wanted["ai_memories"]

    report = import_losses(tmp_path / "losses", *other)
    assert 0 < report.written < total
    assert contents(*other) == wanted


def test_a_locked_database_takes_nothing_until_it_is_released(
    pair: Pair, legacy: URL, tmp_path: Path
) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")
    export_losses(*pair, tmp_path / "losses")
    before = contents(legacy, legacy)

    reshape(legacy)
    try:
        with pytest.raises(RefusedError, match="locked against writes since the swap"):
            import_losses(tmp_path / "losses", legacy, legacy)
        assert contents(legacy, legacy) == before
    finally:
        reshape(legacy, lock=False)
    assert import_losses(tmp_path / "losses", legacy, legacy).written == 2


def test_a_row_that_somebody_holds_is_waited_for_and_then_left(
    pair: Pair, other: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")
    export_losses(*pair, tmp_path / "losses")
    monkeypatch.setattr("ops.carrying.import_file._LOCK_TIMEOUT", "100ms")
    with connect(other.core, application_name="tests") as session:
        session.execute("UPDATE positions SET notes = 'mine'")
        with pytest.raises(BusyError, match="another session holds a lock"):
            import_losses(tmp_path / "losses", *other)
        session.rollback()
    assert import_losses(tmp_path / "losses", *other).written == 2


def test_a_change_under_way_is_waited_for_and_then_a_conflict(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7 WHERE id = %s", APPLE)
    export_losses(*pair, tmp_path / "losses")
    found: list[ImportReport] = []
    importing = threading.Thread(
        target=lambda: found.append(import_losses(tmp_path / "losses", *other))
    )
    with connect(other.core, application_name="tests") as session:
        session.execute(
            "UPDATE positions SET quantity = 8, updated_at = now() WHERE id = %s", [APPLE]
        )
        importing.start()
        importing.join(0.5)
        assert importing.is_alive()
        session.commit()
    importing.join()

    assert (found[0].written, found[0].conflicts) == (0, 1)
    assert rows_of(other.core, "SELECT quantity::int FROM positions WHERE id = %s", APPLE) == [(8,)]


def test_a_database_of_something_else_is_refused(
    pair: Pair, scratch_database: URL, tmp_path: Path
) -> None:
    run(pair.core, "UPDATE positions SET quantity = 7")
    export_losses(*pair, tmp_path / "losses")
    with pytest.raises(WrongDatabaseError, match="has no table 'users' of ours"):
        import_losses(tmp_path / "losses", scratch_database, scratch_database)
