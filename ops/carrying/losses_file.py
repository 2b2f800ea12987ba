"""The file of a rollback's losses: JSON lines, gzip or plain, whole or recognised as not.

The first line is the header, the last the footer with the number of changes between and a SHA-256
of every byte before it. A change is one row: as it is now, with the digests of what it was and of
what it is, or the key of a row that is gone. Every value is its column's canonical text, or null.
"""

import gzip
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal
from uuid import UUID

import orjson

from ops.errors import BadInputError, ConfigurationError, RefusedError
from ops.user_tables import UserTable

FORMAT = "sigmasight losses"
VERSION = 2
# A value holds at most a quarter of this in the server's JSON. What is longer is no line of ours.
LONGEST_LINE = 1 << 28

Kind = Literal["inserted", "updated", "deleted"]


@dataclass(frozen=True)
class Change:
    """One row that was written since the swap.

    Attributes:
        number: its line of the file.
        before: the row's digest as the swap left it; None of an inserted row.
        after: its digest now; None of a deleted row.
        row: column → canonical text; None of a deleted row.
    """

    number: int
    table: UserTable
    kind: Kind
    key: UUID
    before: str | None
    after: str | None
    row: Mapping[str, str | None] | None


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        since: when the swap left the rows that the changes start from.
        source: identity of Core and of AI.
        changes: table → kind → how many.
    """

    written_at: datetime
    since: datetime
    source: Mapping[str, Any]
    changes: Mapping[str, Mapping[Kind, int]]


@dataclass
class LossesWriter:
    """Lines into an open file, each hashed on its way."""

    file: IO[bytes]
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def header(self, header: Header) -> None:
        """The first line."""
        self._line(
            orjson.dumps(
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "written_at": header.written_at,
                    "since": header.since,
                    "source": header.source,
                    "changes": header.changes,
                }
            )
        )

    def change(self, line: str) -> None:
        """A change, as the server wrote it.

        Raises:
            BadInputError: the row is too large for a line.
        """
        encoded = line.encode()
        if len(encoded) >= LONGEST_LINE:
            raise BadInputError(f"a row is larger than {LONGEST_LINE >> 20} MiB: {line[:120]}…")
        self.rows += 1
        self._line(encoded)

    def footer(self) -> None:
        """The last line: without it the file is recognised as cut off."""
        footer = {"rows": self.rows, "sha256": self._hash.hexdigest()}
        self._line(orjson.dumps(footer))

    def _line(self, line: bytes) -> None:
        self.file.write(line + b"\n")
        self._hash.update(line + b"\n")


@contextmanager
def new_losses_file(path: Path) -> Iterator[LossesWriter]:
    """A file that appears under its name when the block ends well, readable by its owner alone.

    Raises:
        RefusedError: there is a file of this name already.
        BadInputError: its folder does not exist.
        ConfigurationError: it cannot be written there, or the disk is full.
    """
    refuse_unusable(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            with _compressed(file, path) as target:
                yield LossesWriter(target)
            file.flush()
            os.fsync(file.fileno())
        _name(part, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror or error}); correct that or name another"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def refuse_unusable(path: Path) -> None:
    """Say at once what would prevent a file of this name.

    Raises:
        RefusedError: there is one already.
        BadInputError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise BadInputError(f"there is no folder {path.parent}; make it or name another file")
    if os.path.lexists(path):
        raise RefusedError(f"{path} exists already and is not overwritten; name another file")


def _name(part: Path, path: Path) -> None:
    """Unlike a renaming, a link never replaces what somebody else put there meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        refuse_unusable(path)
    except OSError:  # a file system without links
        part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _compressed(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    if path.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as target:
        yield target  # type: ignore[misc]
