"""Reading a file of a rollback's losses: every line is checked, and the whole before any of it is
used."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast, get_args
from uuid import UUID

import orjson

from ops.carrying import losses_file
from ops.carrying.losses_file import FORMAT, VERSION, Change, Header, Kind
from ops.errors import BadInputError
from ops.user_tables import UserTable, user_table

_GZIP = b"\x1f\x8b"


@dataclass
class LossesReader:
    """An open file of losses. Each pass over it checks all of it again."""

    path: Path
    file: IO[bytes]

    def header(self) -> Header:
        """The first line.

        Raises:
            BadInputError: this is no file of losses.
        """
        with self._readable():
            first = next(self._lines(hashlib.sha256()), None)
        if first is None:
            raise BadInputError(f"{self.path} is empty; give the file that a rollback exported")
        return self._header(first[1])

    def changes(self) -> Iterator[Change]:
        """Every change, one at a time. Only a pass that ends without an error has seen a whole
        file, so nothing may be kept of another.

        Raises:
            BadInputError: the file is cut off, changed, or not one of ours.
        """
        header, digest = self.header(), hashlib.sha256()
        seen: dict[tuple[str, Kind], int] = {}
        footer: Mapping[str, Any] | None = None
        rows, before = 0, ""
        with self._readable():
            for number, line in self._lines(digest):
                if number == 1:
                    before = digest.hexdigest()
                    continue
                if footer is not None:
                    raise self._bad(number, "the file goes on after its end")
                document = self._document(number, line)
                if "sha256" in document:
                    footer = document
                    continue
                before = digest.hexdigest()
                change = self._change(number, document)
                rows += 1
                counted = (change.table.name, change.kind)
                seen[counted] = seen.get(counted, 0) + 1
                yield change
        self._check_end(footer, rows, before)
        self._check_counts(header, seen)

    def _lines(self, digest: Any) -> Iterator[tuple[int, bytes]]:
        self.file.seek(0)
        number = 0
        while line := self.file.readline(losses_file.LONGEST_LINE + 1):
            number += 1
            if len(line) > losses_file.LONGEST_LINE:
                raise self._bad(number, "longer than any line of ours")
            if not line.endswith(b"\n"):
                raise BadInputError(f"{self.path} is cut off in line {number}; take a whole copy")
            digest.update(line)
            yield number, line

    def _header(self, line: bytes) -> Header:
        strange = f"{self.path} is no file of losses; give the one that a rollback exported"
        try:
            found = self._document(1, line)
        except BadInputError:
            raise BadInputError(strange) from None
        if found.get("format") != FORMAT:
            raise BadInputError(strange)
        if found.get("version") != VERSION:
            raise BadInputError(
                f"{self.path} has version {found.get('version')!r}, this program reads {VERSION}; "
                "import it by the program that wrote it"
            )
        try:
            moments = [datetime.fromisoformat(found[name]) for name in ("written_at", "since")]
            counts = {
                str(table): {kind: int(kinds.get(kind, 0)) for kind in get_args(Kind)}
                for table, kinds in found["changes"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad(1, "the header is damaged") from None
        if any(moment.tzinfo is None for moment in moments):
            raise self._bad(1, "the header is damaged")
        return Header(moments[0], moments[1], found.get("source", {}), counts)

    def _document(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise self._bad(number, "it is damaged") from None
        if not isinstance(found, dict):
            raise self._bad(number, "it is damaged")
        return found

    def _change(self, number: int, document: Mapping[str, Any]) -> Change:
        table = user_table(str(document.get("table")))
        if table is None:
            raise self._bad(number, f"there is no table {document.get('table')!r}")
        kind, row = document.get("change"), document.get("row")
        if kind not in get_args(Kind) or isinstance(row, dict) != (kind != "deleted"):
            raise self._bad(number, "it is no change")
        before, after = document.get("before"), document.get("after")
        known = isinstance(before, str), isinstance(after, str)
        if known != (kind != "inserted", kind != "deleted"):
            raise self._bad(number, "its digests are not those of its change")
        key = self._key(number, document)
        self._check_row(number, table, key, row)
        return Change(number, table, cast(Kind, kind), key, before, after, row)

    def _key(self, number: int, document: Mapping[str, Any]) -> UUID:
        try:
            return UUID(document["key"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad(number, "its key is no UUID") from None

    def _check_row(self, number: int, table: UserTable, key: UUID, row: Any) -> None:
        if row is None:
            return
        unknown, lacking = row.keys() - set(table.columns), set(table.columns) - row.keys()
        if unknown:
            raise self._bad(number, f"{table.name} has no column {min(unknown)!r}")
        if lacking:
            raise self._bad(number, f"it lacks column {min(lacking)!r} of {table.name}")
        for column, value in row.items():
            if value is not None and not isinstance(value, str):
                raise self._bad(number, f"{table.name}.{column} is no text")
        if row["id"] != str(key):
            raise self._bad(number, f"its key is not the id of its row of {table.name}")

    def _check_end(self, footer: Mapping[str, Any] | None, rows: int, digest: str) -> None:
        if footer is None:
            raise BadInputError(f"{self.path} is cut off: its last line is missing")
        if footer.get("rows") != rows or footer.get("sha256") != digest:
            raise BadInputError(
                f"{self.path} is not as it was written: its checksum differs; take a whole copy"
            )

    def _check_counts(self, header: Header, seen: Mapping[tuple[str, Kind], int]) -> None:
        declared = {
            (table, kind): count
            for table, kinds in header.changes.items()
            for kind, count in kinds.items()
            if count
        }
        if declared != seen:
            raise BadInputError(
                f"{self.path} does not hold what its header says; take a whole copy"
            )

    def _bad(self, number: int, what: str) -> BadInputError:
        return BadInputError(f"{self.path}, line {number}: {what}; nothing was imported")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except EOFError:
            raise BadInputError(f"{self.path} is cut off; take a whole copy of it") from None
        except (gzip.BadGzipFile, zlib.error):
            raise BadInputError(f"{self.path} is damaged; take a whole copy of it") from None
        except OSError as error:
            raise _unreadable(self.path, error) from None


@contextmanager
def open_losses(path: Path) -> Iterator[LossesReader]:
    """Open a file of losses, compressed or not, whatever its name.

    Raises:
        BadInputError: it cannot be opened.
    """
    if path.exists() and not path.is_file():  # of a pipe or a device, nothing could be read twice
        raise BadInputError(f"{path} is no file; give the one that a rollback exported")
    try:
        raw = open(path, "rb")  # noqa: SIM115
        compressed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
    except OSError as error:
        raise _unreadable(path, error) from None
    with raw:
        if not compressed:
            yield LossesReader(path, raw)
            return
        with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
            yield LossesReader(path, unpacked)  # type: ignore[arg-type]


def _unreadable(path: Path, error: OSError) -> BadInputError:
    reason = (error.strerror or str(error)).lower()
    return BadInputError(
        f"{path} cannot be read ({reason}); give the file that a rollback exported"
    )
