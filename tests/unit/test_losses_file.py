"""A file of losses that is not whole, or not ours, is refused before any database is asked."""

import gzip
import json
import os
import socket
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy.engine import URL, make_url

from ops.carrying import losses_file
from ops.carrying.import_file import import_losses
from ops.carrying.losses_file import open_losses
from ops.errors import BadInputError
from ops.user_tables import user_table

# Asking it would be another error.
NOBODY: URL = make_url("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
_TABLE = user_table("ai_memories")
assert _TABLE is not None
_COLUMNS = ",".join(("change", "key", "before", "after", *_TABLE.columns)) + "\n"
_ROWS = 'inserted,1,,d,1,"tea\nand ""more"""\n'
_MOMENT = "2025-12-01T09:30:00Z"
_MANIFEST = {
    "format": "sigmasight losses",
    "version": 3,
    "written_at": _MOMENT,
    "since": _MOMENT,
    "source": {"core": {}, "ai": {}},
    "changes": {"ai_memories": {"inserted": 1}},
}
Members = list[tuple[str, str]]
_WHOLE: Members = [
    ("manifest.json", json.dumps(_MANIFEST)),
    ("ai_memories.csv", _COLUMNS + _ROWS),
]


def _written(path: Path, members: Members = _WHOLE, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with ZipFile(path, "w", packed) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, text in members:
            archive.writestr(name, text)
    return path


def _manifest(**changed: Any) -> Members:
    return [("manifest.json", json.dumps({**_MANIFEST, **changed})), _WHOLE[1]]


def _without(name: str) -> Members:
    kept = {key: value for key, value in _MANIFEST.items() if key != name}
    return [("manifest.json", json.dumps(kept)), _WHOLE[1]]


def _csv(text: str) -> Members:
    return [_WHOLE[0], ("ai_memories.csv", text)]


def _refused(path: Path, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as error:
        import_losses(path, NOBODY, NOBODY)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def _read(path: Path) -> tuple[object, bytes]:
    assert _TABLE is not None
    with open_losses(path) as file:
        file.check()
        return file.manifest, b"".join(file.rows(_TABLE))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    _, rows = _read(_written(tmp_path / "whatever its name"))
    assert rows.decode() == _ROWS


_NOT_OURS = "is no file of losses"
_DAMAGED = "manifest.json is damaged"
_OTHER_VERSION = "it has another version; import it by the program that wrote it"
_MEMBERS: dict[str, tuple[Members, str]] = {
    "nothing": ([], _NOT_OURS),
    "no manifest": (_WHOLE[1:], _NOT_OURS),
    "another's manifest": ([("manifest.json", '{"name": "x"}')], _NOT_OURS),
    "another format": (_manifest(format="tar"), _NOT_OURS),
    "an older version": (_manifest(version=2), _OTHER_VERSION),
    "a newer version": (_manifest(version=4, changes=[], more=1), _OTHER_VERSION),
    "no version": (_without("version"), _OTHER_VERSION),
    "no JSON": ([("manifest.json", "{"), _WHOLE[1]], _DAMAGED),
    "a list": ([("manifest.json", "[1]"), _WHOLE[1]], _DAMAGED),
    "no moment": (_manifest(since=None), _DAMAGED),
    "a moment without a zone": (_manifest(since="2025-12-01T00:00:00"), _DAMAGED),
    "no source": (_without("source"), _DAMAGED),
    "odd counts": (_manifest(changes=[]), _DAMAGED),
    "a negative count": (_manifest(changes={"ai_memories": {"inserted": -1}}), _DAMAGED),
    "a count in words": (_manifest(changes={"ai_memories": {"inserted": "1"}}), _DAMAGED),
    "an unknown change": (_manifest(changes={"ai_memories": {"replaced": 1}}), _DAMAGED),
    "an unknown table": (_manifest(changes={"secrets": {"inserted": 1}}), _DAMAGED),
    "a table that is not the users'": (_manifest(changes={"alembic_version": {}}), _DAMAGED),
    "too large a manifest": (
        [("manifest.json", json.dumps(_MANIFEST) + " " * (1 << 20)), _WHOLE[1]],
        "manifest.json claims to be larger than any of ours",
    ),
    "a member lacking": (_WHOLE[:1], "ai_memories.csv is missing"),
    "a member more": ([*_WHOLE, ("users.csv", "")], "no export has 'users.csv' there"),
    "a member twice": ([*_WHOLE, _WHOLE[1]], "'ai_memories.csv' there, or has it twice"),
    "two manifests": ([_WHOLE[0], *_WHOLE], "'manifest.json' there, or has it twice"),
    "a way out": ([*_WHOLE, ("../../etc/x\n", "")], r"no export has '../../etc/x\\n' there"),
    "an empty member": (_csv(""), "ai_memories.csv does not name the columns of this version"),
    "a column lacking": (
        _csv(_COLUMNS.replace(",scope", "") + _ROWS),
        "ai_memories.csv does not name the columns",
    ),
    "a column more": (_csv(_COLUMNS[:-1] + ",colour\n"), "does not name the columns"),
    "no names": (_csv(_ROWS), "does not name the columns"),
}


@pytest.mark.parametrize(("members", "message"), _MEMBERS.values(), ids=_MEMBERS)
def test_a_file_of_other_members_is_refused(tmp_path: Path, members: Members, message: str) -> None:
    _refused(_written(tmp_path / "losses", members), message)


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_is_packed_otherwise_is_refused(tmp_path: Path, packed: int) -> None:
    _refused(_written(tmp_path / "losses", packed=packed), "packed otherwise than an export packs")


def _changed_entry(at: int, value: int) -> Callable[[bytes], bytes]:
    """Of the last member, what the directory at the end of the file says."""

    def change(content: bytes) -> bytes:
        place = content.rindex(b"PK\x01\x02") + at
        return content[:place] + bytes([value]) + content[place + 1 :]

    return change


_EARLIER = b'{"format":"sigmasight losses","version":2,"written_at":"2025-12-01T09:30:00Z"}\n'
_OF_AN_EARLIER_VERSION = "of an earlier version; import it by the program that wrote it"
_BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", _NOT_OURS),
    "something else": (lambda _: b"id,name\n1,x\n", _NOT_OURS),
    "binary": (lambda _: os.urandom(999), _NOT_OURS),
    "something else, packed": (lambda _: gzip.compress(b"x"), _NOT_OURS),
    "half a gzip": (lambda _: gzip.compress(os.urandom(999))[:99], _NOT_OURS),
    "JSON lines": (lambda _: _EARLIER, _OF_AN_EARLIER_VERSION),
    "JSON lines, packed": (lambda _: gzip.compress(_EARLIER), _OF_AN_EARLIER_VERSION),
    "encrypted": (_changed_entry(8, 1), "ai_memories.csv is encrypted"),
    "more than it says": (_changed_entry(24, 9), "ai_memories.csv is damaged; take a whole copy"),
}


@pytest.mark.parametrize(("damage", "message"), _BYTES.values(), ids=_BYTES)
def test_a_file_of_other_bytes_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = _written(tmp_path / "losses")
    path.write_bytes(damage(path.read_bytes()))
    _refused(path, message)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = _written(tmp_path / "whole").read_bytes()
    for size in range(2, len(whole), 5):
        (tmp_path / "losses").write_bytes(whole[:size])
        _refused(tmp_path / "losses", "it is cut off or damaged; take a whole copy")


def test_whichever_byte_is_changed_the_file_is_refused_or_says_the_same(tmp_path: Path) -> None:
    path = _written(tmp_path / "losses")
    whole, read = path.read_bytes(), _read(path)
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert _read(path) == read
        except BadInputError:
            refused += 1
    assert refused > len(whole) / 2


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none", r"none cannot be read \(no such file or directory\)")
    _refused(tmp_path, "is no file")
    os.mkfifo(tmp_path / "pipe")
    _refused(tmp_path / "pipe", "is no file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        _refused(tmp_path / "socket", "is no file")


def test_more_than_its_rows_can_be_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _written(tmp_path / "losses")
    longest = (len(_COLUMNS) + len(_ROWS)) // 2
    monkeypatch.setattr(losses_file, "_LARGEST_ROW", longest + 1)
    assert _read(path)
    monkeypatch.setattr(losses_file, "_LARGEST_ROW", longest - 1)
    _refused(path, "ai_memories.csv claims to be larger than any of ours")
