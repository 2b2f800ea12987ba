"""What commands print for programs: one JSON object with `next`, of a failure too."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from flows import cli
from ops.backfill.batch import BlockReport
from ops.books.backups import Backup
from ops.carrying.import_file import ImportReport, TableImport
from ops.carrying.rollback_price import RollbackPrice
from ops.cleanup.plan import CleanupPlan, Removal
from ops.copy.report import TableReport
from ops.cutover.follow import FollowReport
from ops.cutover.rollback import RollbackPlan
from ops.cutover.steps import CutoverReport
from ops.evidence.finding import Finding
from ops.settings import operator_settings
from ops.verify.report import CheckResult, VerifyReport, refuse_failures

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CHECKS = VerifyReport((CheckResult("betas", "fail", "3 beyond", MappingProxyType({"n": 3})),), ())
SWAPPED = CutoverReport("new", True, "http://127.0.0.1:8000", 0.2, MappingProxyType({"hold": 0.1}))

DUMPED = Backup(1, "core", {}, "/b/core.dump", 7, "", {}, NOW, NOW, None)

REPORTS = [
    ("verify", "phases", CHECKS, ("results", 0, "measured", "n"), 3, "sigmasight swap --dry-run"),
    (
        "copy",
        "phases",
        [TableReport("users", "staged")],
        ("tables", 0, "table"),
        "users",
        "sigmasight backfill",
    ),
    (
        "backfill",
        "phases",
        BlockReport(2, {"x": 5}, [("p", date(2026, 1, 2), "why")]),
        ("failures", 0, 1),
        "2026-01-02",
        "sigmasight verify",
    ),
    ("swap", "cutover", SWAPPED, ("seconds", "hold"), 0.1, "sigmasight status"),
    (
        "rollback --dry-run",
        "cutover",
        RollbackPlan(RollbackPrice(NOW), {}, "ab12", {}),
        ("price", "since"),
        "2026-01-02T00:00:00Z",
        "sigmasight rollback --plan-id ab12",
    ),
    (
        "follow --end",
        "cutover",
        FollowReport(RollbackPrice(NOW), NOW),
        ("ended_at",),
        "2026-01-02T00:00:00Z",
        "sigmasight status",
    ),
    ("backup", "retention", [], ("backups",), [], "sigmasight status"),
]


def _say(words: str, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", ["sigmasight", *words.split(), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize(("words", "room", "done", "path", "value", "following"), REPORTS)
def test_a_report_is_one_object_with_what_comes_next(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    room: str,
    done: object,
    path: tuple[str | int, ...],
    value: object,
    following: str,
) -> None:
    monkeypatch.setattr(f"flows.commands.{room}.run_phase", lambda *_args, **_options: done)
    assert not _say(words, monkeypatch)
    said = found = json.loads(capsys.readouterr().out)
    for key in path:
        found = found[key]
    assert found == value
    assert said["next"] == following


UNMET = Finding("verified", False, "run `sigmasight verify`")
NOTHING = Removal({}, "", {}, False, {}, (), None)
SKIPPED = CheckResult("chat", "skipped", "set BACKEND_URL", MappingProxyType({}))
CREATED = {"operation": "create", "resource": "core", "type": "embedded"}
QUIET = [
    ("cleanup", "retention", CleanupPlan((UNMET,), NOTHING, {}, None), "verified: does not hold"),
    ("verify", "phases", replace(CHECKS, results=(SKIPPED,)), "skipped: chat (set BACKEND_URL)"),
    ("copy", "phases", [TableReport("users", "staged", accepted=1200)], "1,200 rows accepted"),
    ("backfill", "phases", BlockReport(2, {"x": 5}, []), "2 portfolio days computed, 5 rows"),
    ("backup", "retention", [DUMPED], "core: 7 bytes, restored and found equal: /b/core.dump"),
    ("swap", "cutover", SWAPPED, "the new pair is active at"),
    ("up --preview --target docker", "servers", [CREATED], "create: core (embedded)"),
    ("up --preview --target docker", "servers", [], "nothing would change"),
]


@pytest.mark.parametrize(("words", "room", "done", "says"), QUIET)
def test_a_result_is_told_where_only_results_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    room: str,
    done: object,
    says: str,
) -> None:
    monkeypatch.setattr(f"flows.commands.{room}.run_phase", lambda *_args, **_options: done)
    monkeypatch.setattr(sys, "argv", ["sigmasight", *words.split(), "--quiet"])
    with pytest.raises(SystemExit):
        cli.main()
    assert says in capsys.readouterr().out


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path / "home"))
    operator_settings.cache_clear()
    yield tmp_path / "home"
    operator_settings.cache_clear()


def test_an_import_a_file_of_prices_and_a_removal_are_told_to_programs_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_home: Path
) -> None:
    file = own_home.parent / "own.csv"
    file.write_text("symbol,date,open,high,low,close,volume\nSPY,2025-07-01,1,1,2,1,1\n")
    imported = ImportReport((TableImport("users", inserted=2),), None)
    monkeypatch.setattr("flows.commands.losses._imported", lambda *_: imported)
    for words, code, key, value in (
        ("import x.zip", 0, ("tables", 0, "inserted"), 2),
        (f"prices --check {file}", 1, ("concerns", 0, "name"), "high-below-low"),
        ("uninstall", 0, ("goes",), []),
    ):
        assert (_say(words, monkeypatch) or 0) == code
        found = json.loads(capsys.readouterr().out)
        assert "next" in found
        for one in key:
            found = found[one]
        assert found == value


def test_a_failure_is_one_object_too_with_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "flows.commands.phases.run_phase", lambda *_args, **_options: refuse_failures(CHECKS)
    )
    assert _say("verify", monkeypatch) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["results"][0]["detail"] == "3 beyond"
    assert said.err == f"error: {document['error']}\n"
    assert document["error"].startswith("1 of 1 checks failed: betas")
    assert document["next"] is None


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (2, "2 rows of users are only in the new pair; they are in {file}\n"),
        (0, "nothing had to be exported: {file} holds no changes\n"),
    ],
)
def test_a_rollback_says_in_words_what_its_file_holds(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    lost: int,
    said: str,
) -> None:
    file = tmp_path / "losses.zip"
    done = replace(SWAPPED, active="old", lost=lost, export=file)
    monkeypatch.setattr("flows.commands.cutover.run_phase", lambda *_args, **_options: done)
    monkeypatch.setattr(sys, "argv", ["sigmasight", "rollback", "--export", str(file)])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().out.endswith(said.format(file=file))
