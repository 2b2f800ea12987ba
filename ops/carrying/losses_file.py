"""The file of a rollback's losses, and how it is read.

It is a zip of a manifest and of one CSV for each table with changes: its first line names the
columns, each further row is a row of `changes.changed_rows`. The zip's own checksums tell whether
it is whole.
"""

import gzip
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any, Literal
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PositiveInt,
    ValidationError,
)

from ops.errors import BadInputError
from ops.user_tables import USER_TABLES, UserTable, user_table

MANIFEST = "manifest.json"
_CHUNK_BYTES = 1 << 16
_LARGEST_MANIFEST = 1 << 20
_LARGEST_ROW = 1 << 30  # no server writes or reads a longer one

# How a file of versions 1 and 2 begins, packed or not.
_EARLIER = b'{"format":"sigmasight losses"'
# What zipfile says of bytes that are not as they were written.
_DAMAGES = (
    BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
)

Kind = Literal["inserted", "updated", "deleted"]


def _ours(table: str) -> str:
    if user_table(table) is None:
        raise ValueError
    return table


class Manifest(BaseModel):
    """What a file says of itself.

    Attributes:
        since: when the swap left the rows that the changes start from.
        source: identity of Core and of AI.
        changes: table → kind → how many; what there is none of is left out.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    format: Literal["sigmasight losses"]
    version: Literal[3]
    written_at: AwareDatetime
    since: AwareDatetime
    source: dict[str, dict[str, Any]]
    changes: dict[Annotated[str, AfterValidator(_ours)], dict[Kind, PositiveInt]]

    @property
    def tables(self) -> list[UserTable]:
        """Those with changes, in the order of their references."""
        return [table for table in USER_TABLES if table.name in self.changes]


def member_of(table: UserTable) -> str:
    """The name of a table's CSV within the file."""
    return f"{table.name}.csv"


@dataclass(frozen=True)
class LossesFile:
    """An open file of losses."""

    path: Path
    archive: ZipFile
    manifest: Manifest

    def check(self) -> None:
        """Read all of it.

        Raises:
            BadInputError: it is not as an export of this version wrote it.
        """
        found = Counter(self.archive.namelist())
        wanted = Counter([MANIFEST, *map(member_of, self.manifest.tables)])
        for name in found - wanted:
            raise _bad(self.path, f"no export has {name!r} there, or has it twice")
        for name in wanted - found:
            raise _bad(self.path, f"{name} is missing")
        for table in self.manifest.tables:
            for _ in self.rows(table):
                pass

    def rows(self, table: UserTable) -> Iterator[bytes]:
        """A table's rows, in chunks, without the line that names the columns. Only one that ends
        without an error was whole.

        Raises:
            BadInputError: it is damaged, or of other columns.
        """
        name = member_of(table)
        counted = sum(self.manifest.changes[table.name].values())
        header = ",".join(("change", "key", "before", "after", *table.columns)).encode() + b"\n"
        most = (counted + 1) * _LARGEST_ROW
        with _member(self.path, self.archive, name, most) as member:
            if member.readline(len(header)) != header:
                raise _bad(self.path, f"{name} does not name the columns of this version")
            yield from iter(partial(member.read, _CHUNK_BYTES), b"")


@contextmanager
def open_losses(path: Path) -> Iterator[LossesFile]:
    """Open a file of losses, whatever its name.

    Raises:
        BadInputError: it cannot be read, or is none of this version.
    """
    if path.exists() and not path.is_file():  # of a pipe or a device, nothing could be read twice
        raise BadInputError(f"{path} is no file; give the one that a rollback exported")
    try:
        archive = ZipFile(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    except _DAMAGES:
        raise _no_zip(path) from None
    with archive:
        yield LossesFile(path, archive, _manifest(path, archive))


def _manifest(path: Path, archive: ZipFile) -> Manifest:
    if MANIFEST not in archive.namelist():
        raise _strange(path)
    with _member(path, archive, MANIFEST, _LARGEST_MANIFEST) as member:
        text = member.read()
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        wrong = {each["loc"][:1] for each in error.errors()}
    if ("format",) in wrong:
        raise _strange(path)
    if ("version",) in wrong:
        raise _bad(path, "it has another version; import it by the program that wrote it")
    raise _bad(path, f"{MANIFEST} is damaged; take a whole copy")


@contextmanager
def _member(path: Path, archive: ZipFile, name: str, most: int) -> Iterator[IO[bytes]]:
    """A member, of which no more is read than it says to have."""
    info = archive.getinfo(name)
    if info.flag_bits & 1 or info.compress_type != ZIP_DEFLATED:
        raise _bad(path, f"{name} is encrypted, or packed otherwise than an export packs")
    if info.file_size > most:
        raise _bad(path, f"{name} claims to be larger than any of ours")
    try:
        with archive.open(info) as member:
            yield member
    except OSError as error:
        raise _unreadable(path, error) from None
    except _DAMAGES:
        raise _bad(path, f"{name} is damaged; take a whole copy") from None


def _no_zip(path: Path) -> BadInputError:
    for opened in (open, gzip.open):
        with suppress(OSError, EOFError, zlib.error), opened(path, "rb") as file:
            begin = file.read(len(_EARLIER))
            if begin == _EARLIER:
                return _bad(
                    path, "it is of an earlier version; import it by the program that wrote it"
                )
            if begin.startswith(b"PK"):
                return _bad(path, "it is cut off or damaged; take a whole copy")
    return _strange(path)


def _unreadable(path: Path, error: OSError) -> BadInputError:
    reason = (error.strerror or str(error)).lower()
    return BadInputError(
        f"{path} cannot be read ({reason}); give the file that a rollback exported"
    )


def _strange(path: Path) -> BadInputError:
    return BadInputError(f"{path} is no file of losses; give the one that a rollback exported")


def _bad(path: Path, what: str) -> BadInputError:
    return BadInputError(f"{path}: {what}; nothing was imported")
