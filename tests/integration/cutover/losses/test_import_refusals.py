"""What only a database can tell of a file, and what the command says."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from users_rows import (
    ALICE,
    APPLE,
    BOB,
    BOOK,
    Pair,
    contents,
    export_losses,
    rows_of,
    run,
    session_of,
)

from flows.commands import losses
from ops.books.declared_stack import RecordedStack, record_declared
from ops.carrying.import_file import import_losses
from ops.connection import conninfo
from ops.errors import BadInputError, ConfigurationError
from ops.settings import OperatorSettings
from tests.groups import soaked
from tests.served_pair import have_serve

_HERE = make_url("postgresql+psycopg://nobody@127.0.0.1:1/core")


def _exported(pair: Pair, path: Path) -> Path:
    """An export of one changed position, a new tag and a memory that is gone."""
    run(pair.core, "UPDATE positions SET quantity = 7 WHERE id = %s", APPLE)
    run(pair.core, "INSERT INTO tags_v2 (id, user_id, name) VALUES (%s, %s, 'x')", BOB, BOB)
    run(pair.ai, "DELETE FROM ai_memories")
    export_losses(*pair, path)
    return path


def _forge(path: Path, table: str, forge: Callable[[str], str]) -> None:
    """Write a whole file of other rows of a table, as a forger would."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    members[f"{table}.csv"] = forge(members[f"{table}.csv"])
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def _with(column: str, value: str) -> Callable[[str], str]:
    """The only row has another value; an empty one is null."""

    def forge(text: str) -> str:
        (row,) = csv.DictReader(io.StringIO(text))
        written = io.StringIO()
        rows = csv.DictWriter(written, list(row), lineterminator="\n")
        rows.writeheader()
        rows.writerow({**row, column: value})
        return written.getvalue()

    return forge


_OTHER_ID = str(BOOK)
_UNREAD = "cannot be read"
_NO_CHANGE = ", line 2: it is no change"
_OTHER_ROW = ", row 1: it is not the one that was exported"
_FORGED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no number": (
        "positions",
        _with("quantity", "seven"),
        f", line 2: a value of quantity {_UNREAD}",
    ),
    "too large": (
        "positions",
        _with("quantity", "1e300"),
        f", line 2: a value of quantity {_UNREAD}",
    ),
    "no day": (
        "positions",
        _with("entry_date", "soon"),
        f", line 2: a value of entry_date {_UNREAD}",
    ),
    "no moment": ("positions", _with("created_at", "13:99"), f"a value of created_at {_UNREAD}"),
    "too long": ("positions", _with("symbol", "X" * 21), f"a value of symbol {_UNREAD}"),
    "no id": ("positions", _with("portfolio_id", "7"), f"a value of portfolio_id {_UNREAD}"),
    "no label": (
        "positions",
        _with("position_type", "SWAP"),
        ", line 2: position_type has a value that there is not",
    ),
    "a nul": ("positions", _with("notes", "nul \0"), f", line 2: a row {_UNREAD}"),
    "another value": ("positions", _with("quantity", "8"), _OTHER_ROW),
    "no value": ("positions", _with("quantity", ""), _OTHER_ROW),
    "another digest": ("positions", _with("after", "d"), _OTHER_ROW),
    "an unknown change": ("positions", _with("change", "replaced"), _NO_CHANGE),
    "another change": ("positions", _with("change", "inserted"), _NO_CHANGE),
    "no change": ("positions", _with("change", ""), f", line 2: a row {_UNREAD}"),
    "no digest of before": ("positions", _with("before", ""), _NO_CHANGE),
    "no digest of after": ("positions", _with("after", ""), _NO_CHANGE),
    "a digest too many": ("tags_v2", _with("before", "b"), _NO_CHANGE),
    "no digest of what is gone": ("ai_memories", _with("before", ""), _NO_CHANGE),
    "a row that is gone": (
        "ai_memories",
        _with("id", _OTHER_ID),
        "its key is not the id of its row",
    ),
    "a bad key": ("positions", _with("key", "1; DROP TABLE users"), f"a value of key {_UNREAD}"),
    "no key": ("positions", _with("key", ""), f", line 2: a row {_UNREAD}"),
    "another key": ("positions", _with("key", _OTHER_ID), "its key is not the id of its row"),
    "no id of its own": ("positions", _with("id", ""), "its key is not the id of its row"),
    "a value lacking": ("positions", lambda text: text[: text.rindex(",")], f"a row {_UNREAD}"),
    "a value more": ("positions", lambda text: f"{text[:-1]},x\n", f", line 2: a row {_UNREAD}"),
    "an open quote": ("positions", lambda text: f'{text}"', f", line 3: a row {_UNREAD}"),
    "a row lacking": (
        "tags_v2",
        lambda text: text.splitlines(keepends=True)[0],
        "tags_v2.csv has not the rows that the manifest says",
    ),
    "a row twice": (
        "tags_v2",
        lambda text: text + text.splitlines(keepends=True)[1],
        ", line 3: its row stands there twice",
    ),
}


# One for each way in which it is noticed: by the server, the digest, a rule, the count.
_EACH_RUN = ["no number", "another value", "an unknown change", "a row lacking"]
_AT_LENGTH = [name for name in _FORGED if name not in _EACH_RUN]


@pytest.mark.parametrize("names", [_EACH_RUN, *soaked(_AT_LENGTH)], ids=["each way", "the others"])
def test_a_forged_row_changes_nothing(
    pair: Pair, other: Pair, tmp_path: Path, names: list[str]
) -> None:
    exported = _exported(pair, tmp_path / "exported").read_bytes()
    before = contents(*other)
    for name in names:
        table, forge, message = _FORGED[name]
        file = tmp_path / "losses"
        file.write_bytes(exported)
        _forge(file, table, forge)

        with pytest.raises(BadInputError) as error:
            import_losses(file, *other)

        said = str(error.value)
        assert message in said, name
        assert f"{file}" in said
        assert f"{table}.csv" in said
        assert "\n" not in said
        assert contents(*other) == before, name


def _command(file: Path, into: str, **urls: URL) -> subprocess.CompletedProcess[str]:
    given = {name: conninfo(url) for name, url in urls.items()}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "import", str(file), "--into", into],
        env={**os.environ, "SIGMASIGHT_HOME": str(file.parent / "state"), **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
def test_the_command_says_what_it_did_to_each_table_and_fails_on_a_conflict(
    pair: Pair, other: Pair, legacy: URL, tmp_path: Path
) -> None:
    file = tmp_path / "losses.zip"
    run(pair.core, "UPDATE users SET full_name = 'Al' WHERE id = %s", ALICE)
    run(pair.core, "UPDATE users SET full_name = 'Bo' WHERE id = %s", BOB)
    run(pair.ai, "DELETE FROM ai_memories")
    export_losses(*pair, file)
    new = {"DATABASE_URL": other.core, "AI_DATABASE_URL": other.ai, "LEGACY_DATABASE_URL": legacy}

    done = _command(file, "old", **new)
    assert (done.returncode, "error" in done.stderr) == (0, False)
    assert done.stdout.splitlines() == [
        "users: 0 inserted, 2 updated, 0 deleted, 0 there already, 0 in conflict",
        "ai_memories: 0 inserted, 0 updated, 1 deleted, 0 there already, 0 in conflict",
    ]
    assert contents(legacy, legacy) == contents(*pair) != contents(*other)

    run(other.core, "UPDATE users SET full_name = 'Xi', updated_at = now() WHERE id = %s", BOB)
    failed = _command(file, "new", **new)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1:] == [
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
    record_declared(settings.state, RecordedStack("external", urls, active="old"))
    assert losses.serving_pair(settings) == "old"
    have_serve(core_url, "new")
    assert losses.serving_pair(settings) == "new"

    record_declared(
        settings.state, RecordedStack("external", {**urls, "core": nowhere}, active="old")
    )
    given = OperatorSettings(
        SIGMASIGHT_HOME=tmp_path / "given",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/core",
        _env_file=None,  # type: ignore[call-arg]
    )
    for unknown in (settings, given):
        with pytest.raises(ConfigurationError, match="say it by --into old or --into new"):
            losses.serving_pair(unknown)


def _move_tables(url: URL, old: str, new: str) -> None:
    moved = sql.SQL(
        "DO $$ DECLARE one regclass; BEGIN FOR one IN SELECT oid FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = {}::regnamespace"
        " LOOP EXECUTE format('ALTER TABLE %s SET SCHEMA {}', one); END LOOP; END $$"
    ).format(sql.Literal(old), sql.Identifier(new))
    with session_of(url) as session:
        session.execute(moved)


def test_an_old_database_takes_rows_where_its_tables_are(
    pair: Pair, legacy: URL, tmp_path: Path
) -> None:
    _exported(pair, tmp_path / "losses")
    run(legacy, "CREATE SCHEMA sigma")
    _move_tables(legacy, "public", "sigma")
    run(legacy, "CREATE TABLE public.positions (id uuid PRIMARY KEY)")
    try:
        assert import_losses(tmp_path / "losses", legacy, legacy).written == 3
        assert rows_of(legacy, "SELECT count(*) FROM public.positions") == [(0,)]
    finally:
        run(legacy, "DROP TABLE public.positions")
        _move_tables(legacy, "sigma", "public")
        run(legacy, "DROP SCHEMA sigma")
    assert rows_of(legacy, "SELECT quantity FROM positions WHERE id = %s", APPLE) == [(7,)]
