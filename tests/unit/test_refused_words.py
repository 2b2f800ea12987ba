"""What cannot work is refused in one line, before a server is started or a database is asked."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import cli
from ops.settings import operator_settings

CORE = "postgresql://u:geheim@127.0.0.1:1/d"

# words, settings, and the words of the refusal
REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("rehearse --report /no/where.md", {}, "--report: there is no folder /no; make it first"),
    ("rehearse --report .", {}, "is a folder; name a file"),
    ("rollback --export .", {}, "is a folder; name a file"),
    ("rollback --blind --dry-run", {}, "a blind rollback knows no price; give --blind alone"),
    ("rollback --blind --accept-loss 3", {}, "a blind rollback knows no price"),
    ("rollback --blind --export losses.zip", {}, "a blind rollback knows no price"),
    ("rollback --dry-run --plan-id ab12", {}, "give --plan-id without --dry-run"),
    ("swap --dry-run --plan-id ab12", {}, "give --plan-id without --dry-run"),
    ("cleanup --execute", {}, "say which plan: run `sigmasight cleanup`, then --plan-id its id"),
    ("cleanup --approve ab12 --execute", {}, "--approve is for the schedule alone; leave"),
    ("cleanup --approve ab12 --plan-id ab12", {}, "--approve is for the schedule alone"),
    ("copy --accept-deleted 3", {}, "--accept-deleted is for another old database; add --accept-l"),
    ("up --preview", {}, "only a declared stack has a preview; say which by --target"),
    ("status", {"PRICES_FROM": "yahoo"}, "PRICES_FROM: .*'legacy' or 'yfinance'"),
    ("up --target moon", {}, "'moon' is not one of 'embedded', 'docker', 'external'"),
    ("restore-legacy", {}, "say what is restored: a dump's file, or --demo$"),
    ("backup moon", {}, "'moon' is not one of 'core', 'ai', 'legacy'"),
    ("backup --keep 0", {}, "'--keep'.*greater than or equal to 1; see `sigmasight backup --help`"),
    ("status --timeout soon", {}, "'--timeout'.*valid number.*see `sigmasight status --help`"),
    ("swap --max-hold 0", {}, "'--max-hold'.*greater than or equal to 0.5"),
    ("swap --stream-seconds 61", {}, "'--stream-seconds'.*less than or equal to 60"),
    ("backfill --engine dask --scheduler moon", {}, "'moon' is no address of a Dask scheduler"),
    ("import", {}, "Missing argument 'file'; see `sigmasight import --help`"),
    ("config moon", {}, "No such command 'moon'; see `sigmasight config --help`"),
    ("prices", {}, "give either --check FILE or --template; see `sigmasight prices --help`"),
    ("prices --check a.csv --template", {}, "give either --check FILE or --template"),
    ("prices --check .", {}, "it cannot be read .Is a directory."),
    ("rebuild --prices absent.csv", {}, "absent.csv: there is no such file; correct its path"),
    ("rehearse --prices absent.csv", {}, "absent.csv: there is no such file; correct its path"),
    (
        "dsn core --role app",
        {"DATABASE_URL": CORE},
        "roles are the embedded servers'; this address has the one given",
    ),
    ("seed", {"SIGMASIGHT_TARGET": "moon"}, "SIGMASIGHT_TARGET: .*'embedded', 'docker', 'exter"),
    ("cleanup", {"CLEANUP_DATE": "31/12/2026"}, "CLEANUP_DATE: .*valid date"),
    ("swap", {"BACKEND_REPLICAS": "0"}, "BACKEND_REPLICAS: .*greater than or equal to 1"),
    ("status", {"SIGMASIGHT_HOME": __file__}, "SIGMASIGHT_HOME: .*py is a file; name a folder"),
    ("backup", {"BACKUP_FOLDER": __file__}, "BACKUP_FOLDER: .*py is a file; name a folder"),
    ("verify", {"PROBE_ACCOUNTS": "ann"}, "PROBE_ACCOUNTS: 'ann' is no e-mail address"),
    ("copy", {"LEGACY_SCHEMA": ""}, "LEGACY_SCHEMA: .*at least 1 character"),
    ("verify", {"BACKEND_URL": "api.example.com"}, "BACKEND_URL: is not a URL of a backend"),
    ("seed", {"DATABASE_URL": "jdbc:postgresql://h/d"}, "DATABASE_URL: is not a URL; write"),
    ("seed", {"DATABASE_URL": f"'{CORE}'"}, "DATABASE_URL: is not a URL; write postgresql://USER"),
]


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    operator_settings.cache_clear()
    yield
    operator_settings.cache_clear()


@pytest.mark.parametrize(
    ("words", "settings", "line"), REFUSED, ids=[" ".join([w, *s]) for w, s, _ in REFUSED]
)
def test_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: str,
    settings: dict[str, str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {"SIGMASIGHT_HOME": str(tmp_path / "home"), **settings})
    monkeypatch.setattr("flows.commands.runner.connect_prefect", _started)
    monkeypatch.setattr(sys, "argv", ["sigmasight", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    *_, last = capsys.readouterr().err.splitlines()
    assert ended.value.code in (1, 2)
    assert last.startswith("error: ")
    assert re.search(line, last), last
    assert "geheim" not in last
    assert not (tmp_path / "home").exists()


def _started(*_arguments: object) -> None:
    raise AssertionError("a server was started")
