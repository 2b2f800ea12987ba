"""The checklist: what it says of a system in each state, and that nothing that is down holds it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.books.declared_stack import RecordedStack, record_declared
from ops.connection import conninfo
from ops.settings import OperatorSettings
from ops.status import ChecklistLine, checklist, checklist_json, next_step
from tests.integration.checklist_look import execute, external, look, swapped

KEYS = {"number", "phase", "state", "evidence", "at", "age", "stale", "next"}


@pytest.fixture
def settings(tmp_path: Path, core_url: URL, ai_url: URL) -> OperatorSettings:
    """A state folder of a pair that was migrated and no more."""
    return external(tmp_path, core_url, ai_url)


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


def test_exchanged_addresses_are_told(tmp_path: Path, core_url: URL, ai_url: URL) -> None:
    lines = look(external(tmp_path, ai_url, core_url))
    found = [lines["Core migrations"], lines["AI migrations"]]
    assert [line.evidence.rsplit(" ", 1)[1] for line in found] == ["'ai'", "'core'"]
    assert next_step(list(lines.values())) == "correct the two addresses"


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
        assert half["databases"].state == "unknown"
        assert half["databases"].next == "sigmasight status --timeout 10"
        assert "AI does not answer in time" in half["databases"].evidence
        assert (half["Core migrations"].state, half["AI migrations"].state) == ("done", "unknown")
        other = external(tmp_path, hanging, ai_url)
        other.BACKEND_URL = f"http://127.0.0.1:{port}"
        lines = look(other, api_url=f"http://127.0.0.1:{port}/api")
    for phase in ("Core migrations", "seeding", "copy", "backfill", "backend", "swap"):
        assert lines[phase].state == "unknown", phase
    assert lines["AI migrations"].state == "done"
    assert lines["run history"].next == "make dashboard"


def test_servers_that_are_down_are_named(tmp_path: Path, core_url: URL) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = core_url.set(port=free.getsockname()[1])
    lines = look(external(tmp_path, gone, gone.set(database="ai")), "http://127.0.0.1:9/api")
    assert str(gone.port) in lines["databases"].evidence
    assert "since when is not known" in lines["run history"].evidence
    assert lines["databases"].next == "start its server again"
    assert (gone.password or "?") not in checklist_json(list(lines.values()))
    containers = OperatorSettings(_env_file=None, SIGMASIGHT_HOME=tmp_path / "docker")
    containers.state.create()
    urls = {name: conninfo(gone.set(database=name)) for name in ("core", "ai", "legacy")}
    record_declared(containers.state, RecordedStack("docker", urls, backend="http://127.0.0.1:9"))
    lines = look(containers)
    assert {lines[name].next for name in ("databases", "backend")} == {"sigmasight up"}


def test_the_document_keeps_its_keys(settings: OperatorSettings) -> None:
    found = json.loads(checklist_json(list(look(settings).values())))
    assert all(set(line) == KEYS for line in found)


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
        "sigmasight backfill --first 2025-07-01 --last 2025-07-01",
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
    assert line.next == (None if state == "done" else "start it where it runs")


def test_a_rehearsal_is_shown_where_there_was_one(
    settings: OperatorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ops.books.rehearsals import LastRehearsal, record_end

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


BACKFILLED = ChecklistLine("7.5", "backfill", "done", "")
BEHIND = BACKFILLED.grown_stale("behind the prices", "backfill")
SWAP = ChecklistLine("9", "swap", "open", "", next="swap")
KILLED = replace(SWAP, state="failed")
VERIFIED = ChecklistLine("10", "verification", "done", "")
OLDER = VERIFIED.grown_stale("older than the last copy", "verify")
NEVER = replace(OLDER, state="open")
FAILED = replace(OLDER, state="failed")


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ([BACKFILLED, SWAP, VERIFIED], "swap"),
        ([BEHIND, SWAP, VERIFIED], "swap"),
        ([BACKFILLED, SWAP, OLDER], "verify"),
        ([BACKFILLED, SWAP, NEVER], "verify"),
        ([BEHIND, SWAP, OLDER], "backfill"),
        ([BEHIND, SWAP, FAILED], "backfill"),
        ([BEHIND, KILLED, OLDER], "swap"),
    ],
)
def test_the_evidence_that_a_step_stands_on_comes_first(
    lines: list[ChecklistLine], step: str
) -> None:
    assert next_step(lines) == step
