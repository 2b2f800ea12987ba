"""A file of losses that is not whole, or not ours, is refused before any database is asked."""

import gzip
import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL, make_url

from ops.carrying import losses_file
from ops.carrying.import_file import import_losses
from ops.carrying.losses_file import Header, new_losses_file
from ops.carrying.losses_reader import open_losses
from ops.errors import BadInputError
from ops.user_tables import user_table

KEY = "00000000-0000-0000-0000-000000000001"
# Asking it would be another error.
NOBODY: URL = make_url("postgresql+psycopg://nobody@127.0.0.1:1/nothing")


def _memory(**values: str | None) -> dict[str, str | None]:
    table = user_table("ai_memories")
    assert table is not None
    return {**dict.fromkeys(table.columns), "id": KEY, "content": "tea", **values}


def _change(**parts: Any) -> dict[str, Any]:
    inserted = {"table": "ai_memories", "change": "inserted", "key": KEY, "after": "d"}
    return {**inserted, "row": _memory(), **parts}


def _written(path: Path, *changes: dict[str, Any], counted: int | None = None) -> Path:
    number = len(changes) if counted is None else counted
    moment = datetime(2025, 12, 1, tzinfo=UTC)
    with new_losses_file(path) as file:
        file.header(Header(moment, moment, {}, {"ai_memories": {"inserted": number}}))
        for change in changes:
            file.change(json.dumps(change))
        file.footer()
    return path


def _refused(path: Path, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as error:
        import_losses(path, NOBODY, NOBODY)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["losses", "losses.gz"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    deleted = {"table": "ai_memories", "change": "deleted", "key": KEY[:-1] + "2", "before": "b"}
    path = _written(tmp_path / name, _change())
    with open_losses(path) as reader:
        (only,) = reader.changes()
        assert [change.row for change in reader.changes()] == [only.row]
    assert (only.kind, str(only.key), only.before, only.after) == ("inserted", KEY, None, "d")
    assert only.row is not None
    assert only.row["content"] == "tea"
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (name == "losses.gz")
    _refused(_written(tmp_path / "counts", deleted), "does not hold what its header says")


_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown table": (_change(table="secrets"), "line 2: there is no table 'secrets'"),
    "a table that is not the users'": (_change(table="market_data_cache"), "there is no table"),
    "no table": (_change(table=None), "there is no table None"),
    "unknown column": (_change(row=_memory(colour="red")), "ai_memories has no column 'colour'"),
    "a column lacking": (
        _change(row={k: v for k, v in _memory().items() if k != "scope"}),
        "it lacks column 'scope' of ai_memories",
    ),
    "a number": (_change(row={**_memory(), "scope": 3}), "ai_memories.scope is no text"),
    "a list": (_change(row={**_memory(), "tags": []}), "ai_memories.tags is no text"),
    "unknown change": (_change(change="replaced"), "it is no change"),
    "no row": (_change(row=None), "it is no change"),
    "a row that is no object": (_change(row=["x"]), "it is no change"),
    "a deleted row": (_change(change="deleted", before="b"), "it is no change"),
    "no digest": (_change(after=None), "its digests are not those of its change"),
    "a digest too many": (_change(before="b"), "its digests are not those of its change"),
    "no key": (_change(key=None), "its key is no UUID"),
    "a bad key": (_change(key="1; DROP TABLE users"), "its key is no UUID"),
    "another key": (_change(key=KEY[:-1] + "2"), "its key is not the id of its row"),
}


@pytest.mark.parametrize(("change", "message"), _CHANGES.values(), ids=_CHANGES)
def test_a_change_that_is_none_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    _refused(_written(tmp_path / "losses", change), message)


def _cut(count: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:-count]


def _last_line_off(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


def _with_header(**values: object) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        first, rest = content.split(b"\n", 1)
        return json.dumps({**json.loads(first), **values}).encode() + b"\n" + rest

    return change


_DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "something else": (lambda _: b"id,name\n1,x\n", "is no file of losses"),
    "binary": (lambda _: os.urandom(99), "is no file of losses|is cut off"),
    "an object of something else": (lambda _: b'{"a": 1}\n', "is no file of losses"),
    "a list": (lambda _: b"[1]\n", "is no file of losses"),
    "another version": (_with_header(version=1), "has version 1, this program reads 2"),
    "a header without a moment": (_with_header(since=None), "line 1: the header is damaged"),
    "a moment without a zone": (
        _with_header(since="2025-12-01T00:00:00"),
        "line 1: the header is damaged",
    ),
    "a header of odd counts": (_with_header(changes=[]), "line 1: the header is damaged"),
    "another header": (_with_header(source={"core": "x"}), "its checksum differs"),
    "cut in the footer": (_cut(3), "is cut off in line 3"),
    "cut behind a line": (_last_line_off, "is cut off: its last line is missing"),
    "a changed value": (lambda c: c.replace(b"tea", b"tee"), "its checksum differs"),
    "a line twice": (
        lambda c: c.replace(b'{"table"', c.splitlines()[1] + b'\n{"table"', 1),
        "its checksum differs",
    ),
    "a line more": (lambda c: c + b"{}\n", "line 4: the file goes on after its end"),
    "a damaged line": (lambda c: c.replace(b'{"table"', b'{"table'), "line 2: it is damaged"),
    "no UTF-8": (lambda c: c.replace(b"tea", b"t\xff\xfe"), "line 2: it is damaged"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("damage", "message"), _DAMAGES.values(), ids=_DAMAGES)
def test_a_damaged_file_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str, packed: bool
) -> None:
    whole = _written(tmp_path / "whole", _change()).read_bytes()
    path = tmp_path / "losses.gz"
    damaged = damage(whole)
    path.write_bytes(gzip.compress(damaged) if packed else damaged)
    _refused(path, message)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_compressed_file_that_is_cut_off_is_refused(tmp_path: Path, part: float) -> None:
    whole = _written(tmp_path / "whole.gz", _change()).read_bytes()
    (tmp_path / "losses.gz").write_bytes(whole[: int(len(whole) * part)])
    _refused(tmp_path / "losses.gz", "is cut off")


def test_a_compressed_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    whole = bytearray(_written(tmp_path / "whole.gz", _change()).read_bytes())
    whole[-6] ^= 1  # its checksum
    (tmp_path / "losses.gz").write_bytes(whole)
    _refused(tmp_path / "losses.gz", "is damaged")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none", "cannot be read")
    _refused(tmp_path, "is no file")
    os.mkfifo(tmp_path / "pipe")
    _refused(tmp_path / "pipe", "is no file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        _refused(tmp_path / "socket", "is no file")


def test_a_line_longer_than_any_of_ours_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = _change(row=_memory(content="x" * 1000))
    path = _written(tmp_path / "losses", long)
    monkeypatch.setattr(losses_file, "LONGEST_LINE", 600)
    _refused(path, "line 2: longer than any line of ours")

    with pytest.raises(BadInputError, match="a row is larger than"):
        _written(tmp_path / "other", long)
    assert os.listdir(tmp_path) == ["losses"]


def test_the_longest_line_is_written_and_read_and_one_byte_more_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = _change(row=_memory(content="x" * 1000))
    more = _change(row=_memory(content="x" * 1001))
    foreign = _written(tmp_path / "foreign", more)
    monkeypatch.setattr(losses_file, "LONGEST_LINE", len(json.dumps(longest)) + 1)
    with open_losses(_written(tmp_path / "own", longest)) as reader:
        assert [change.row for change in reader.changes()] == [longest["row"]]
    with pytest.raises(BadInputError, match="a row is larger than"):
        _written(tmp_path / "other", more)
    _refused(foreign, "line 2: longer than any line of ours")
