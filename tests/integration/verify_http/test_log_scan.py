"""What of a backend's log is an error of the database, ours or somebody else's."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from ops.books.verifications import record_verification
from ops.probe_accounts import demo_accounts
from ops.state_folder import StateFolder
from ops.verify import CheckResult, Subject, Verdict, VerifyReport
from ops.verify.http.exchange import HttpTarget
from ops.verify.http.log_scan import log_scan
from ops.verify.http.visit import Visit

NOWHERE = make_url("postgresql://h/d")
SUBJECT = Subject(NOWHERE, NOWHERE, None, date(2025, 7, 1), date(2025, 7, 2))
START = "INFO:     Started server process [7]"

TROUBLE = [
    'sqlalchemy.exc.ProgrammingError: relation "ai_insights" does not exist',
    "psycopg.errors.UndefinedTable: ...",
    "2025-12-21 10:00:00 ERROR app.chat: current transaction is aborted, commands ignored",
    "asyncpg.exceptions.InFailedSQLTransactionError",
    "2025-12-21 10:00:00,123 ERROR [pool] QueuePool limit of size 10 overflow 20 reached",
    "FATAL:  sorry, too many clients already",
    "ERROR:    Exception in ASGI application",
    "[2025-12-21 10:00] CRITICAL worker died",
    "2025-12-21 10:00:00,123 - app.batch - ERROR - the batch stopped",
    json.dumps({"level": "ERROR", "message": "database error", "error": "deadlock detected"}),
    json.dumps({"level": "error", "message": "a chat turn failed"}),
    json.dumps(
        {"level": "ERROR", "message": "x", "exc_info": "OperationalError: connection refused"}
    ),
]
NO_TROUBLE = [
    'INFO:     127.0.0.1 - "GET /api/v1/auth/me HTTP/1.1" 401 Unauthorized',
    "2025-12-21 10:00:00 ERROR app.tools: API call failed: 401 Unauthorized",
    json.dumps({"level": "ERROR", "message": "expired token"}),
    json.dumps({"level": "WARNING", "message": "deadlock detected, tried again"}),
    json.dumps({"level": "INFO", "message": "request", "path": "/ERROR", "status": 401}),
    json.dumps(["ERROR"]),
    '{"level": "ERR',
    "the ERROR rate is low",
    "",
]


def scanned(tmp_path: Path, *lines: str, subject: Subject = SUBJECT) -> Verdict:
    log = tmp_path / "backend.log"
    log.write_text("\n".join(lines) + "\n")
    return log_scan(subject, Visit(HttpTarget("http://127.0.0.1:1", demo_accounts("demo"), log)))


def verified(tmp_path: Path, *lines: str) -> str:
    """How the log check of a verification from a state folder ends, which is remembered."""
    subject = replace(SUBJECT, state=StateFolder(tmp_path))
    found = scanned(tmp_path, *lines, subject=subject)
    result = CheckResult("backend log", found.outcome, found.detail, found.measured)
    report = VerifyReport((result,), ())
    for read in (report.log_read, None):  # the last one has asked no backend
        record_verification(StateFolder(tmp_path), NOWHERE, [], asked_backend=True, read=read)
    return found.outcome


@pytest.mark.parametrize("line", TROUBLE)
def test_trouble_is_found(tmp_path: Path, line: str) -> None:
    found = scanned(tmp_path, START, *NO_TROUBLE, line)
    assert found.outcome == "fail"
    assert found.measured["database_errors"] + found.measured["other_errors"] == 1


@pytest.mark.parametrize("line", NO_TROUBLE)
def test_what_is_expected_is_no_trouble(tmp_path: Path, line: str) -> None:
    assert scanned(tmp_path, START, line).outcome == "pass"


def test_only_what_came_after_the_last_start_counts(tmp_path: Path) -> None:
    ours = json.dumps({"level": "INFO", "message": "Started server process [9]"})
    assert scanned(tmp_path, START, TROUBLE[0], ours, "fine").measured["lines"] == 2
    assert scanned(tmp_path, TROUBLE[0], "no start at all").outcome == "fail"


FAULTY = [START, *["served"] * 300, TROUBLE[0]]


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        (FAULTY, "pass"),
        ([*FAULTY, "served"], "pass"),
        ([*FAULTY, TROUBLE[0]], "fail"),
        ([*FAULTY, START, "served"], "pass"),
        ([*FAULTY, START, TROUBLE[1]], "fail"),
        ([*FAULTY, TROUBLE[0], START], "pass"),
        ([START, TROUBLE[1]], "fail"),
        ([START, TROUBLE[1], *["other"] * 5000], "fail"),
    ],
    ids=[
        "nothing new",
        "new, and fine",
        "once more",
        "started anew",
        "at the new start",
        "before the new start",
        "a shorter log in its place",
        "a longer log in its place",
    ],
)
def test_an_error_fails_one_verification(tmp_path: Path, later: list[str], outcome: str) -> None:
    assert verified(tmp_path, *FAULTY) == "fail"
    assert verified(tmp_path, *later) == outcome


def test_an_error_is_told_with_what_to_do(tmp_path: Path) -> None:
    assert "see to it, and verify again" in scanned(tmp_path, *FAULTY).detail


def test_what_is_written_while_it_is_read_counts_in_the_next_one(tmp_path: Path) -> None:
    half, rest = TROUBLE[0][:20], TROUBLE[0][20:]
    log, subject = tmp_path / "backend.log", replace(SUBJECT, state=StateFolder(tmp_path))
    target = HttpTarget("http://127.0.0.1:1", demo_accounts("demo"), log)
    log.write_text(f"{START}\n{half}")
    read = log_scan(subject, Visit(target)).measured["log_read"]
    record_verification(StateFolder(tmp_path), NOWHERE, [], asked_backend=True, read=read)
    log.write_text(f"{START}\n{half}{rest}\n")
    assert log_scan(subject, Visit(target)).outcome == "fail"


def test_a_password_in_the_log_is_not_repeated(tmp_path: Path) -> None:
    line = "ERROR: OperationalError at postgresql://app:canary@host/db: connection refused"
    found = scanned(tmp_path, START, line)
    assert "://…@host/db" in found.detail
    assert "canary" not in found.detail


def test_a_log_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    for log in (None, tmp_path / "absent", tmp_path):
        found = log_scan(
            SUBJECT, Visit(HttpTarget("http://127.0.0.1:1", demo_accounts("demo"), log))
        )
        assert found.outcome == "skipped"
        assert "BACKEND_LOG" in found.detail


def test_of_a_huge_log_only_the_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.verify.http.log_scan._MOST_BYTES", 1000)
    found = scanned(tmp_path, TROUBLE[0], *["fine"] * 1000)
    assert found.outcome == "pass"
    assert found.measured["lines"] <= 201
