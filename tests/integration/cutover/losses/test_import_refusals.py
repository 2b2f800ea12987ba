"""What only a database can tell of a file, and what the command says."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL, make_url
from users_rows import ALICE, APPLE, BOB, Pair, contents, rows_of, run

from flows.commands import losses
from ops.books.declared_stack import record_declared
from ops.carrying.export import export_losses
from ops.carrying.import_file import import_losses
from ops.carrying.losses_file import Header, new_losses_file
from ops.connection import conninfo
from ops.errors import BadInputError, ConfigurationError
from ops.settings import OperatorSettings
from tests.served_pair import have_serve

_HERE = make_url("postgresql+psycopg://nobody@127.0.0.1:1/core")


def _exported(pair: Pair, path: Path) -> list[dict[str, Any]]:
    """The lines of an export of one changed position and one new tag."""
    run(pair.core, "UPDATE positions SET quantity = 7 WHERE id = %s", APPLE)
    run(pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'x')", BOB, BOB)
    export_losses(*pair, path)
    return [json.loads(line) for line in path.read_text().splitlines()]


def _rewritten(lines: list[dict[str, Any]], path: Path, *changes: Mapping[str, Any]) -> Path:
    """A whole file of other changes, as a forger would make it."""
    moment = datetime.fromisoformat(lines[0]["since"])
    counts: dict[str, dict[Any, int]] = {}
    for change in changes:
        kinds = counts.setdefault(change["table"], {})
        kinds[change["change"]] = kinds.get(change["change"], 0) + 1
    with new_losses_file(path) as file:
        file.header(Header(datetime.now(UTC), moment, {}, counts))
        for change in changes:
            file.change(json.dumps(change))
        file.footer()
    return path


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("quantity", "seven", "a value of positions.quantity cannot be read"),
        ("quantity", "1e300", "a value of positions.quantity cannot be read"),
        ("entry_date", "tomorrow-ish", "a value of positions.entry_date cannot be read"),
        ("created_at", "13:99", "a value of positions.created_at cannot be read"),
        ("position_type", "SWAP", "a value of a row of positions cannot be read"),
        ("symbol", "X" * 21, "a value of positions.symbol cannot be read"),
        ("portfolio_id", "7", "a value of positions.portfolio_id cannot be read"),
        ("notes", "nul \0", "a value of a row of positions cannot be read"),
        ("quantity", "8", "the row of positions is not the one that was exported"),
        ("quantity", None, "the row of positions is not the one that was exported"),
    ],
)
def test_a_forged_value_changes_nothing(
    pair: Pair, other: Pair, tmp_path: Path, column: str, value: str | None, message: str
) -> None:
    lines = _exported(pair, tmp_path / "losses")
    position, tag = lines[1:3]
    forged = {**position, "row": {**position["row"], column: value}}
    before = contents(*other)

    with pytest.raises(BadInputError, match=message) as error:
        import_losses(_rewritten(lines, tmp_path / "forged", tag, forged), *other)

    assert "\n" not in str(error.value)
    assert contents(*other) == before


def test_a_row_that_stands_twice_in_a_file_changes_nothing(
    pair: Pair, other: Pair, tmp_path: Path
) -> None:
    lines = _exported(pair, tmp_path / "losses")
    before = contents(*other)
    with pytest.raises(BadInputError, match="a value of a row of positions cannot be read"):
        import_losses(_rewritten(lines, tmp_path / "twice", lines[1], lines[1]), *other)
    assert contents(*other) == before


def _command(file: Path, into: str, **urls: URL) -> subprocess.CompletedProcess[str]:
    given = {name: conninfo(url) for name, url in urls.items()}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "import", str(file), "--into", into],
        env={**os.environ, "SIGMASIGHT_HOME": str(file.parent / "state"), **given},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_what_it_did_to_each_table_and_fails_on_a_conflict(
    pair: Pair, other: Pair, legacy: URL, tmp_path: Path
) -> None:
    file = tmp_path / "losses.gz"
    run(pair.core, "UPDATE users SET full_name = 'Al' WHERE id = %s", ALICE)
    run(pair.core, "UPDATE users SET full_name = 'Bo' WHERE id = %s", BOB)
    run(pair.ai, "DELETE FROM ai_memories")
    export_losses(*pair, file)
    new = {"DATABASE_URL": other.core, "AI_DATABASE_URL": other.ai, "LEGACY_DATABASE_URL": legacy}

    done = _command(file, "old", **new)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "users: 0 inserted, 2 updated, 0 deleted, 0 there already, 0 in conflict",
        "ai_memories: 0 inserted, 0 updated, 1 deleted, 0 there already, 0 in conflict",
    ]
    assert contents(legacy, legacy) == contents(*pair) != contents(*other)

    run(other.core, "UPDATE users SET full_name = 'Xi', updated_at = now() WHERE id = %s", BOB)
    failed = _command(file, "new", **new)
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        "error: 1 of 3 changes contradict what is there and were not imported; each stands with "
        f"its reason in {file}.conflicts"
    ]
    names = rows_of(other.core, "SELECT full_name FROM users ORDER BY email")
    assert names == [("Al",), ("Xi",)]


def test_the_command_imports_into_the_pair_that_serves(tmp_path: Path, core_url: URL) -> None:
    settings = OperatorSettings(SIGMASIGHT_HOME=tmp_path, _env_file=None)  # type: ignore[call-arg]
    settings.state.create()
    nowhere = conninfo(_HERE)
    urls = {"core": conninfo(core_url), "ai": nowhere, "legacy": f"{nowhere}_old"}
    record_declared(settings.state, "external", urls, active="old")
    assert losses.serving_pair(settings) == "old"
    have_serve(core_url, "new")
    assert losses.serving_pair(settings) == "new"

    record_declared(settings.state, "external", {**urls, "core": nowhere}, active="old")
    given = OperatorSettings(
        SIGMASIGHT_HOME=tmp_path / "given",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/core",
        _env_file=None,  # type: ignore[call-arg]
    )
    for unknown in (settings, given):
        with pytest.raises(ConfigurationError, match="say it by --into old or --into new"):
            losses.serving_pair(unknown)
