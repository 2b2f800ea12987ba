"""The checklist from verification to cleanup: what is done, stale, killed or undone is told."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import URL

from ops.backend.pair_fence import pair_fence
from ops.books.follows import FOLLOWED
from ops.connection import connect, conninfo, shown_address
from ops.evidence.cutovers import LEFT_BLINDLY
from ops.settings import OperatorSettings
from ops.write_lock.lock import lock_and_prove
from tests.integration.checklist_look import IDENTITY, execute, external, look, swapped


@pytest.fixture
def settings(tmp_path: Path, core_url: URL, ai_url: URL) -> OperatorSettings:
    """A state folder of a pair that was migrated and no more."""
    return external(tmp_path, core_url, ai_url)


def verified(settings: OperatorSettings, core: URL, at: datetime, failed: int = 0) -> None:
    settings.state.write(
        "verification",
        {
            "core": shown_address(core),
            "at": at.isoformat(),
            "pass": 9,
            "fail": failed,
            "skipped": 0,
        },
    )


def test_a_verification_is_stale_after_a_day_and_after_each_change(
    settings: OperatorSettings, core_url: URL
) -> None:
    now = datetime.now(UTC)
    assert look(settings)["verification"].state == "open"
    verified(settings, core_url, now - timedelta(hours=25))
    assert look(settings)["verification"].stale == (
        f"the verification of {now - timedelta(hours=25):%Y-%m-%d %H:%M} UTC is not of the last "
        "24 hours"
    )
    verified(settings, core_url, now - timedelta(minutes=1))
    assert look(settings)["verification"].stale is None
    execute(
        core_url,
        "INSERT INTO ops.backfill_ledger VALUES (gen_random_uuid(), '2025-07-01', 'done')",
    )
    line = look(settings)["verification"]
    assert (line.stale, line.next) == (
        "the verification is older than the last backfill",
        "sigmasight verify",
    )
    verified(settings, core_url, datetime.now(UTC))
    swapped(core_url)
    assert look(settings)["verification"].stale is None
    verified(settings, core_url, datetime.now(UTC), failed=2)
    line = look(settings)["verification"]
    assert (line.state, line.stale) == ("failed", None)


def test_a_lock_that_an_undone_swap_left_is_told_with_what_takes_it_off(
    tmp_path: Path, core_url: URL, ai_url: URL, scratch_database: URL
) -> None:
    execute(scratch_database, "CREATE TABLE users (id int)")
    settings = external(tmp_path, core_url, ai_url, scratch_database)
    swapped(core_url, state="undone", reason="legacy went away")
    assert look(settings)["swap"].state == "open"
    lock_and_prove(scratch_database)
    line = look(settings)["swap"]
    assert (line.state, line.next) == ("failed", "sigmasight rollback")
    assert "the last swap was undone: legacy went away; but the old database's" in line.evidence
    execute(core_url, "DELETE FROM ops.cutovers")
    assert look(settings)["swap"].next == "sigmasight rollback --blind", "Core was made anew"
    lost = external(tmp_path, core_url.set(database="lost"), ai_url, scratch_database)
    assert str(look(lost)["databases"].next).endswith("lost for good, sigmasight rollback --blind")


def test_a_blind_rollback_is_to_be_recorded_first_unless_it_was_undone(
    tmp_path: Path, core_url: URL, ai_url: URL, scratch_database: URL
) -> None:
    execute(scratch_database, "CREATE TABLE users (id uuid)")
    settings = external(tmp_path, core_url, ai_url, scratch_database)
    settings.state.write(LEFT_BLINDLY, {"legacy": {"database_name": "old"}})
    swapped(core_url)
    line = look(settings)["swap"]
    assert (line.state, line.next) == ("failed", "sigmasight rollback")
    assert "neither recorded in Core yet, nor brought back" in line.evidence
    lock_and_prove(scratch_database)
    assert look(settings)["swap"].state == "done"


def test_a_fence_is_told_and_what_takes_it_off_where_users_would_meet_it(
    settings: OperatorSettings, core_url: URL, ai_url: URL
) -> None:
    with pair_fence(core_url, ai_url) as fence:
        fence.put_up(10.0)
        fence.commit()
    swapped(core_url)
    line = look(settings)["swap"]
    assert (line.state, line.next) == ("failed", "sigmasight swap")
    assert "fenced off against writes" in line.evidence
    swapped(core_url, kind="rollback")
    line = look(settings)["swap"]
    assert (line.state, line.next) == ("open", "sigmasight swap")
    assert "fenced off against late writes until the next swap" in line.evidence


def test_swap_rollback_and_swap_again(
    tmp_path: Path, core_url: URL, ai_url: URL, scratch_database: URL
) -> None:
    execute(scratch_database, "CREATE TABLE users (id int)")
    settings = external(tmp_path, core_url, ai_url, scratch_database)
    assert look(settings)["swap"].next == "sigmasight swap"
    for _ in range(2):
        swapped(core_url)
        lines = look(settings)
        assert "requests held 0.40 s" in lines["swap"].evidence
        # The record says so and nothing else: the tables of this old database were never locked.
        assert lines["swap"].state == "failed"
        assert "1 of the old database's 1 tables can be written to: users" in lines["swap"].evidence
        assert lines["rollback"].state == "open"
        assert lines["backup"].stale == "no proved backup of Core is known"
        swapped(core_url, "rollback")
        lines = look(settings)
        assert (lines["swap"].state, lines["rollback"].state) == ("open", "skipped")
        assert "rolled back" in lines["swap"].evidence


def test_looking_after_a_swap_reads_no_table_of_the_old_database(
    tmp_path: Path, core_url: URL, ai_url: URL, scratch_database: URL
) -> None:
    execute(scratch_database, "CREATE TABLE users (id int); INSERT INTO users VALUES (1)")
    swapped(core_url)
    reads = "SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_user_tables"
    with connect(scratch_database, application_name="tests", autocommit=True) as watching:
        before = watching.execute(reads).fetchone()
        look(external(tmp_path, core_url, ai_url, scratch_database))
        time.sleep(0.2)  # the leaving session reports its counters
        watching.execute("SELECT pg_stat_clear_snapshot()")
        assert watching.execute(reads).fetchone() == before
        watching.execute("SELECT * FROM users")
        watching.execute("SELECT pg_stat_force_next_flush()")
        assert watching.execute(reads).fetchone() != before


def test_a_killed_swap_is_told_from_one_under_way(
    settings: OperatorSettings, core_url: URL
) -> None:
    swapped(core_url, state="running", step="flip the active pair")
    killed = look(settings)["swap"]
    assert (killed.state, killed.next) == ("failed", "sigmasight swap")
    assert "killed at step: flip the active pair" in killed.evidence
    with connect(core_url, application_name="tests", autocommit=True) as running:
        running.execute("SELECT pg_advisory_lock(hashtextextended('sigmasight phase', 0))")
        under_way = look(settings)["swap"]
    assert (under_way.state, under_way.next) == ("open", None)
    assert "under way" in under_way.evidence


def test_an_undone_swap_says_why(settings: OperatorSettings, core_url: URL) -> None:
    swapped(core_url, state="undone", reason="the price is not zero")
    assert "undone: the price is not zero" in look(settings)["swap"].evidence


def seeded(core: URL) -> None:
    execute(
        core,
        "INSERT INTO users (id, email, full_name, hashed_password, is_active, created_at,"
        " updated_at) VALUES (gen_random_uuid(), 'a@b.c', 'a', 'h', true, now(), now())",
    )


def test_backups_are_stale_when_old_or_unproved(settings: OperatorSettings, core_url: URL) -> None:
    def taken(database: str, hours: int, *, restored: bool) -> None:
        at = datetime.now(UTC) - timedelta(hours=hours)
        execute(
            core_url,
            "INSERT INTO ops.backups (database, identity, path, bytes, sha256, content, taken_at,"
            " restored_at) VALUES (%s, %s, '/b', 1, 'x', '{}', %s, %s)",
            database,
            IDENTITY,
            at,
            at if restored else None,
        )

    assert look(settings)["backup"].state == "skipped"
    seeded(core_url)
    assert look(settings)["backup"].stale == "no proved backup of Core is known"
    taken("core", 30, restored=True)
    taken("ai", 1, restored=True)
    assert "the backup of Core" in (look(settings)["backup"].stale or "")
    assert "is older than 24 h" in (look(settings)["backup"].stale or "")
    taken("core", 1, restored=False)
    line = look(settings)["backup"]
    assert "is older than 24 h" in (line.stale or "")
    assert "core 60 min ago, not yet proved by a restore" in line.evidence.replace("1 h", "60 min")
    taken("core", 0, restored=True)
    line = look(settings)["backup"]
    assert (line.state, line.stale) == ("done", None)


def test_an_end_of_following_is_told_of_this_swap(
    settings: OperatorSettings, core_url: URL
) -> None:
    told = "is carried back by the rollback itself alone"
    for _ in range(2):
        swapped(core_url)
        assert told not in look(settings)["rollback"].evidence
        execute(core_url, "INSERT INTO ops.follow_ends SELECT max(id) FROM ops.cutovers")
        assert told in look(settings)["rollback"].evidence


def test_a_cleanup_is_dated_killed_and_done(settings: OperatorSettings, core_url: URL) -> None:
    ended = datetime.now(UTC) - timedelta(days=8)
    swapped(core_url, ended_at=ended)
    assert "allowed since" in look(settings)["cleanup"].evidence
    for reason in ("the swap ended", FOLLOWED, "the server was restarted"):
        assert look(settings)["cleanup"].stale is None
        execute(
            core_url,
            "INSERT INTO ops.legacy_access (moment, purpose, counters) VALUES ('window', %s, '{}')",
            reason,
        )
    line = look(settings)["cleanup"]
    assert "began anew: the server was restarted" in (line.stale or "")
    assert "not before" in line.evidence
    execute(
        core_url,
        "INSERT INTO ops.tombstones (cutover, plan_id, state, step, removed, evidence)"
        " SELECT max(id), 'p', 'running', 'drop the database', '[]', '{}' FROM ops.cutovers",
    )
    settings.LEGACY_DATABASE_URL = SecretStr(conninfo(core_url.set(database="dropped")))
    lines = look(settings)
    assert (lines["databases"].state, lines["cleanup"].state) == ("done", "failed")
    assert lines["cleanup"].next == "sigmasight cleanup --execute --plan-id p"
    assert "no longer possible" in lines["rollback"].evidence
    execute(core_url, "UPDATE ops.tombstones SET state = 'done', ended_at = now()")
    assert look(settings)["cleanup"].state == "done"
