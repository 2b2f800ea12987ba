"""How files and a folder are removed: by descriptors, so that a link that is put into a path
meanwhile leads nowhere."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Literal

from ops.cleanup.folders import FoundFile, FoundFolder

Outcome = Literal["removed", "gone already", "left: it has changed"]
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)  # a link stands where a folder stood
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_file(file: FoundFile) -> Outcome:
    """Remove a file if it is the one that was found."""
    path = Path(file.path)
    with _outcome() as outcome, _opened(path.parent) as folder:
        if not file.is_still(os.stat(path.name, dir_fd=folder, follow_symlinks=False)):
            return "left: it has changed"
        os.unlink(path.name, dir_fd=folder)
        return "removed"
    return outcome[0]


def remove_folder(found: FoundFolder) -> Outcome:
    """Remove a folder with what it holds, links as links, if it is the one that was found."""
    path = Path(found.path)
    with _outcome() as outcome, _opened(path.parent) as parent:
        status = os.stat(path.name, dir_fd=parent, follow_symlinks=False)
        if (status.st_ino, status.st_dev) != (found.inode, found.device):
            return "left: it has changed"
        shutil.rmtree(path.name, dir_fd=parent)
        return "removed"
    return outcome[0]


def checksum(file: FoundFile) -> str | None:
    """The SHA-256 of a file that is still the one that was found; None where it is not."""
    path = Path(file.path)
    with suppress(OSError), _opened(path.parent) as folder:
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with open(descriptor, "rb") as opened:
            if file.is_still(os.fstat(descriptor)):
                return file_digest(opened, "sha256").hexdigest()
    return None


@contextmanager
def _outcome() -> Iterator[list[Outcome]]:
    """What a missing path means, and one that a link has bent; all else is raised."""
    said: list[Outcome] = []
    try:
        yield said
    except FileNotFoundError:
        said.append("gone already")
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise
        said.append("left: it has changed")


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of a folder that is reached from the root without any link.

    Raises:
        FileNotFoundError: it is gone.
        OSError: a part of the path has become a link.
    """
    descriptor = os.open(folder.anchor, _FOLDER)
    try:
        for part in folder.parts[1:]:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
