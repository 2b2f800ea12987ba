"""What the command line answers by itself, and how little of the program that needs."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from flows import cli
from flows.commands.options import Group
from ops.copy.groups import ALL, GROUPS
from ops.errors import RefusedError
from ops.settings import operator_settings

# One process; the imports are what is asked, so this test's own must not count. Typer itself checks
# values by pydantic, which is why the words that it answers without one come first.
_ASKED = """
import sys
from flows import cli
def say(*words):
    sys.argv = ["sigmasight", *words]
    try:
        cli.main()
    except SystemExit:
        pass
for words in (["--help"], ["-h"], ["--version"], []):
    say(*words)
light = "pydantic" not in sys.modules
for words in (["backfill", "--help"], ["seed", "--twice"], ["teleport"], ["drift", "today"]):
    say(*words)
heavy = {"alembic", "httpx", "numpy", "pandas", "prefect", "psycopg", "rich", "sqlalchemy"}
print(light, "imported:", *sorted(heavy & set(sys.modules)))
"""


def test_words_alone_import_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKED], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True imported:", done.stdout[-300:]
    assert done.stdout.count("Usage: sigmasight") == 4
    assert re.search(r"^sigmasight \d+\.\d+", done.stdout, re.MULTILINE)
    errors = done.stderr.splitlines()
    assert all(line.startswith("error: ") for line in errors), errors
    assert len(errors) == 3


_LOOKED = """
import sys
from datetime import date
import flows.prefect_server, ops.backend.supervised, ops.status, ops.write_lock.tables
from ops.trading_calendar import trading_days
trading_days(date(2025, 12, 24), date(2025, 12, 26))
heavy = {"alembic", "app.models", "httpx", "numpy", "prefect"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_a_look_at_everything_needs_neither_models_nor_engine() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOKED], capture_output=True, check=True)
    assert done.stdout.split() == []


def test_groups_that_can_be_typed_are_those_that_can_be_copied() -> None:
    assert get_args(Group) == (*GROUPS, ALL)


AT_WORK = [
    ("assess", "flows.commands.assess._account", "read the old database"),
    ("drift", "flows.commands.phases._drift", "read both catalogues"),
    ("status", "ops.status.checklist", "ask everything at once"),
    ("import losses.zip", "flows.commands.losses._imported", "bring the changes back"),
    ("prices --check own.csv", "ops.price_files.reading._text", "read own.csv"),
    ("down", "flows.worker.Worker.stop", "stop the worker"),
    ("dashboard", "flows.commands.dashboard._registered", "deployments"),
]


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    operator_settings.cache_clear()
    yield
    operator_settings.cache_clear()


@pytest.mark.parametrize(("words", "work", "step"), AT_WORK, ids=lambda one: one.split(".")[-1])
def test_a_command_that_is_no_phase_says_first_what_it_does(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: str,
    work: str,
    step: str,
) -> None:
    def ends(*_args: object, **_options: object) -> None:
        raise RefusedError("so far and no further")

    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path))
    monkeypatch.setattr(work, ends)
    monkeypatch.setattr("flows.commands.dashboard.connect_prefect", lambda **_: None)
    monkeypatch.setattr(sys, "argv", ["sigmasight", *words.split()])
    with pytest.raises(SystemExit):
        cli.main()
    assert f"{words.split()[0]}: {step} …" in capsys.readouterr().err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run `drift`, which fails with an error that nobody has foreseen."""

    def fail(*_endpoints: object) -> None:
        raise LookupError("no moon\nnor a second line")

    monkeypatch.setattr("ops.endpoints.resolve_endpoints", fail)

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["sigmasight", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1

    return run


@pytest.mark.parametrize("words", [("drift",), ("drift", "--debug"), ("--debug", "drift")])
def test_an_unforeseen_failure_is_one_line_unless_the_trace_is_asked_for(
    failing: Callable[..., None], capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    failing(*words)
    *before, line = capsys.readouterr().err.splitlines()
    assert line == ("error: unexpected LookupError: no moon; the same with --debug shows the trace")
    assert any("Traceback" in one for one in before) == ("--debug" in words)
