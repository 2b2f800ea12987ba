"""The checklist: what it says of a system in each state, and that nothing that is down holds it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb
from pydantic import SecretStr
from sqlalchemy.engine import URL

from ops.connection import connect, conninfo, place
from ops.settings import OperatorSettings
from ops.status import ChecklistLine, checklist, checklist_json, next_step

LIMIT_SECONDS = 2.0
KEYS = {"number", "phase", "state", "evidence", "at", "age", "stale", "next"}
NUMBERS = ["1", "2", "3", "4", "5", "6", "7", "7.5", "8", "9", "-", "10", "11", "-"]
IDENTITY = Jsonb({"system_identifier": 1, "database_oid": 2, "database_name": "old"})

Lines = dict[str, ChecklistLine]


@pytest.fixture
def settings(tmp_path: Path, core_url: URL, ai_url: URL) -> OperatorSettings:
    """A state folder of a pair that was migrated and no more."""
    return external(tmp_path, core_url, ai_url)


def external(folder: Path, core: URL, ai: URL, legacy: URL | None = None) -> OperatorSettings:
    return OperatorSettings(
        _env_file=None,
        SIGMASIGHT_HOME=folder,
        DATABASE_URL=SecretStr(conninfo(core)),
        AI_DATABASE_URL=SecretStr(conninfo(ai)),
        LEGACY_DATABASE_URL=SecretStr(conninfo(legacy)) if legacy else None,
    )


def look(settings: OperatorSettings, api_url: str | None = None) -> Lines:
    """The lines by phase; within the limit, however the system is."""
    begun = time.monotonic()
    lines = checklist(settings, api_url)
    assert time.monotonic() - begun < LIMIT_SECONDS
    assert [line.number for line in lines] == NUMBERS
    return {line.phase: line for line in lines}


def execute(url: URL, statement: str, *values: object) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def swapped(core: URL, kind: str = "swap", state: str = "done", **values: object) -> None:
    row = {"held_seconds": 0.4, "step": "flip", "reason": None, **values}
    execute(
        core,
        "INSERT INTO ops.cutovers (kind, state, step, plan_id, legacy, accepted_loss, held_seconds,"
        " reason, ended_at) VALUES (%s, %s, %s, 'p', %s, 0, %s, %s, %s)",
        kind,
        state,
        row["step"],
        IDENTITY,
        row["held_seconds"],
        row["reason"],
        None if state == "running" else row.get("ended_at", datetime.now(UTC)),
    )


def verified(settings: OperatorSettings, core: URL, at: datetime, failed: int = 0) -> None:
    settings.state.write(
        "verification",
        {"core": place(core), "at": at.isoformat(), "pass": 9, "fail": failed, "skipped": 0},
    )


def test_every_line_is_there_without_a_state_folder_and_nothing_is_made(tmp_path: Path) -> None:
    home = tmp_path / "none"
    lines = look(OperatorSettings(_env_file=None, SIGMASIGHT_HOME=home))
    assert lines["databases"].next == "sigmasight up"
    assert {line.state for line in lines.values()} == {"done", "open"}  # the chains are there
    assert next_step(list(lines.values())) == "sigmasight up"
    assert not home.exists()


def test_a_migrated_pair_is_told_from_one_that_is_behind(
    settings: OperatorSettings, core_url: URL, ai_url: URL
) -> None:
    lines = look(settings)
    assert (lines["Core migrations"].state, lines["AI migrations"].state) == ("done", "done")
    assert "38 of 38 tables" in lines["Core migrations"].evidence
    assert next_step(list(lines.values())) == "sigmasight seed"
    execute(core_url, "UPDATE alembic_version SET version_num = '0000'")
    execute(ai_url, "DROP TABLE ai_feedback")
    lines = look(settings)
    assert lines["Core migrations"].next == "sigmasight migrate"
    assert "behind head" in lines["Core migrations"].evidence
    assert (lines["AI migrations"].state, lines["AI migrations"].next) == (
        "open",
        "sigmasight drift",
    )


def test_an_empty_database_has_not_begun(
    tmp_path: Path, scratch_database: URL, ai_url: URL
) -> None:
    lines = look(external(tmp_path, scratch_database, ai_url))
    assert (lines["Core migrations"].state, lines["Core migrations"].evidence) == (
        "open",
        "not begun",
    )
    assert lines["swap"].state == "skipped"
    assert lines["AI migrations"].state == "done"


@contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)
        yield listener.getsockname()[1]


def test_a_server_that_hangs_holds_nothing(tmp_path: Path, core_url: URL, ai_url: URL) -> None:
    with silent_server() as port:
        hanging = core_url.set(host="127.0.0.1", port=port)
        half = look(external(tmp_path, core_url, hanging))
        assert half["databases"].state == "failed"
        assert "AI does not answer in time" in half["databases"].evidence
        assert (half["Core migrations"].state, half["AI migrations"].state) == ("done", "failed")
        other = external(tmp_path, hanging, ai_url)
        other.BACKEND_URL = f"http://127.0.0.1:{port}"
        lines = look(other, api_url=f"http://127.0.0.1:{port}/api")
    for phase in ("Core migrations", "seeding", "copy", "backfill", "backend", "swap"):
        assert lines[phase].state == "failed", phase
    assert lines["AI migrations"].state == "done"
    assert lines["run history"].next == "make dashboard"


def test_servers_that_are_down_are_named(tmp_path: Path, core_url: URL) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = core_url.set(port=free.getsockname()[1])
    lines = look(external(tmp_path, gone, gone.set(database="ai")), "http://127.0.0.1:9/api")
    assert str(gone.port) in lines["databases"].evidence
    assert "since when is not known" in lines["run history"].evidence
    assert (gone.password or "?") not in checklist_json(list(lines.values()))


def test_the_document_keeps_its_keys(settings: OperatorSettings) -> None:
    found = json.loads(checklist_json(list(look(settings).values())))
    assert all(set(line) == KEYS for line in found)


def test_a_verification_is_stale_after_a_day_and_after_each_change(
    settings: OperatorSettings, core_url: URL
) -> None:
    now = datetime.now(UTC)
    assert look(settings)["verification"].state == "open"
    verified(settings, core_url, now - timedelta(hours=25))
    assert look(settings)["verification"].stale == "older than 24 h"
    verified(settings, core_url, now - timedelta(minutes=1))
    assert look(settings)["verification"].stale is None
    execute(
        core_url,
        "INSERT INTO ops.backfill_ledger VALUES (gen_random_uuid(), '2025-07-01', 'done')",
    )
    line = look(settings)["verification"]
    assert (line.stale, line.next) == ("older than the last backfill", "sigmasight verify")
    verified(settings, core_url, datetime.now(UTC))
    swapped(core_url)
    assert look(settings)["verification"].stale is None
    verified(settings, core_url, datetime.now(UTC), failed=2)
    line = look(settings)["verification"]
    assert (line.state, line.stale) == ("failed", None)


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
        assert lines["backup"].stale == "no backup of core and ai, which users write to"
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
    assert look(settings)["backup"].stale == "no backup of core and ai, which users write to"
    taken("core", 30, restored=True)
    taken("ai", 1, restored=True)
    assert look(settings)["backup"].stale == "the backup of core is older than 24 h"
    taken("core", 1, restored=False)
    assert look(settings)["backup"].stale == "no restore has proved the backup of core"
    taken("core", 0, restored=True)
    line = look(settings)["backup"]
    assert (line.state, line.stale) == ("done", None)


def test_a_cleanup_is_dated_killed_and_done(settings: OperatorSettings, core_url: URL) -> None:
    ended = datetime.now(UTC) - timedelta(days=8)
    swapped(core_url, ended_at=ended)
    assert "allowed since" in look(settings)["cleanup"].evidence
    for reason in ("the swap ended", "the server was restarted"):
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
    lines = look(settings)
    assert (lines["cleanup"].state, lines["cleanup"].next) == ("failed", "sigmasight cleanup")
    assert "no longer possible" in lines["rollback"].evidence
    execute(core_url, "UPDATE ops.tombstones SET state = 'done', ended_at = now()")
    assert look(settings)["cleanup"].state == "done"


def test_a_backfill_says_how_far_it_is_behind_its_prices(
    settings: OperatorSettings, core_url: URL
) -> None:
    execute(
        core_url,
        "INSERT INTO ops.backfill_ledger VALUES (gen_random_uuid(), '2025-07-01', 'done')",
    )
    execute(
        core_url,
        "INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at,"
        " updated_at) VALUES (gen_random_uuid(), 'SPY', '2025-07-03', 1, 't', now(), now())",
    )
    line = look(settings)["backfill"]
    assert line.stale == "2 trading days behind the prices, which reach 2025-07-03"
    assert line.next == "sigmasight backfill --first 2025-07-02 --last 2025-07-03"
    execute(core_url, "UPDATE market_data_cache SET date = '2025-07-01'")
    line = look(settings)["backfill"]
    assert "there are no prices after 2025-07-01" in (line.stale or "")
    assert line.next is None
    execute(core_url, "UPDATE ops.backfill_ledger SET status = 'failed', reason = 'no close'")
    line = look(settings)["backfill"]
    assert (line.state, line.next) == (
        "failed",
        "sigmasight backfill --first 2025-07-01 --last 2025-07-01 --mode failed",
    )


@contextmanager
def backend(pair: str | None, status: int = 200) -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if pair:
                self.send_header("X-SigmaSight-Pair", pair)
            self.end_headers()
            self.wfile.write(b'{"status": "ready"}' if status == 200 else b'{"status": "behind"}')

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("pair", "status", "recorded", "state", "words"),
    [
        ("new", 200, "swap", "done", "serves from the new pair"),
        ("old", 200, "rollback", "done", "serves from the old pair"),
        (None, 200, None, "done", "names no pair"),
        ("old", 200, "swap", "failed", "led to the new pair"),
        ("new", 200, "rollback", "failed", "led to the old pair"),
        ("new", 503, "swap", "failed", "behind"),
    ],
)
def test_the_backend_the_record_and_the_pair_must_agree(
    settings: OperatorSettings,
    core_url: URL,
    pair: str | None,
    status: int,
    recorded: str | None,
    state: str,
    words: str,
) -> None:
    if recorded:
        swapped(core_url, recorded)
    with backend(pair, status) as url:
        settings.BACKEND_URL = url
        line = look(settings)["backend"]
    assert line.state == state
    assert words in line.evidence
    assert (line.next is None) == (state == "done")


def test_a_rehearsal_is_shown_where_there_was_one(
    settings: OperatorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ops.rehearsal.record import LastRehearsal, record_end

    def told(word: str, failed_in: str | None) -> ChecklistLine:
        now = datetime.now(UTC)
        record_end(settings.state, LastRehearsal(now, word, failed_in, 81.0, "r.md", "r.log"))
        return checklist(settings, None)[-1]

    assert told("finished", None).evidence == "the whole move took 81 s; see r.md"
    assert told("interrupted", "swap").evidence == "interrupted in swap; read r.log"


def test_what_failed_comes_before_what_is_open_and_what_is_stale() -> None:
    done = ChecklistLine("7", "copy", "done", "", stale="old", next="copy")
    unfinished = ChecklistLine("9", "swap", "open", "", next="swap")
    failed = ChecklistLine("10", "verification", "failed", "", next="verify")
    assert next_step([done, unfinished, failed]) == "verify"
    assert next_step([done, unfinished]) == "swap"
    assert next_step([done]) == "copy"
    assert next_step([]) is None
