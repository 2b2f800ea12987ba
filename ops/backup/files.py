"""The files of backups: whole or not there, readable by their owner alone."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from ops.disk_space import require_free
from ops.errors import ConfigurationError

PART = ".part"


@contextmanager
def written_whole(path: Path) -> Iterator[int]:
    """A descriptor to write to; the file has its name when the block ends well and it is on disk.

    A kill leaves a hidden file that ends in `.part`, which the next of that name replaces and
    `forget_parts` removes.
    """
    part = path.with_name(f".{path.name}{PART}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
        os.fsync(descriptor)
        part.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def own_folder(folder: Path) -> None:
    """Make the folder of backups, closed to others.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"the folder of backups {folder} cannot be made ({error.strerror}); "
            "set BACKUP_FOLDER to a folder of yours"
        ) from None


def forget_parts(folder: Path, database: str) -> None:
    """Remove what a killed backup of this database left half-written."""
    for part in folder.glob(f"*{database}-*.dump{PART}"):
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The checksum of a file's bytes.

    Raises:
        OSError: it cannot be read, or is a symbolic link.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def require_space(needed: Mapping[Path, int]) -> None:
    """See that the bytes that are needed below each folder are free; folders of one disk add up.

    Raises:
        RefusedError: a disk has less.
    """
    by_disk: dict[int, list[Path]] = defaultdict(list)
    for folder in needed:
        by_disk[folder.stat().st_dev].append(folder)
    for folders in by_disk.values():
        wanted = sum(needed[folder] for folder in folders)
        purpose = "the dump with its restored copy"
        require_free(folders[0], wanted, purpose, "set BACKUP_FOLDER to another disk")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
