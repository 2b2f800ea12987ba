"""Which files and which folder a cleanup may remove: only what the operator's folders hold."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.chain_folders import PROJECT_ROOT
from ops.errors import BadInputError, RefusedError

SUFFIXES = (".sql", ".dump")
MARKER = ".sigmasight-temporary"


@dataclass(frozen=True)
class Rules:
    """What the operator configured.

    Attributes:
        folders: where dumps lie about.
        recursive: whether folders below them count too.
        repository: the temporary repository's folder, if one is to go.
        spared: files and folders of which nothing goes.
    """

    folders: tuple[Path, ...] = ()
    recursive: bool = False
    repository: Path | None = None
    spared: tuple[Path, ...] = ()


@dataclass(frozen=True)
class FoundFile:
    """A file to be removed, as it was when it was found."""

    path: str
    bytes: int
    modified_ns: int
    inode: int
    device: int

    def is_still(self, status: os.stat_result) -> bool:
        """Whether a file is the one that was found, unchanged."""
        now = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)
        known = (self.bytes, self.modified_ns, self.inode, self.device)
        return stat.S_ISREG(status.st_mode) and now == known


@dataclass(frozen=True)
class FoundFolder:
    """The temporary repository, as it was when it was found."""

    path: str
    inode: int
    device: int
    files: int
    bytes: int
    newest_ns: int


def find_files(rules: Rules, kept: Collection[Path] = ()) -> list[FoundFile]:
    """The files that a cleanup would remove, by path. No symbolic link is followed.

    Args:
        kept: files that stay whatever their name, such as backups.

    Raises:
        BadInputError: a configured folder cannot be one to clean up.
    """
    spared = {path.resolve() for path in (*rules.spared, *kept)}
    found: dict[str, FoundFile] = {}
    for given in rules.folders:
        folder = usable_folder(given, rules)
        for path, status in _entries(folder, rules.recursive, spared):
            if path not in spared and not spared & set(path.parents):
                found[str(path)] = _found(path, status)
    return [found[path] for path in sorted(found)]


def find_repository(rules: Rules, kept: Collection[Path] = ()) -> FoundFolder | None:
    """The temporary repository that a cleanup would remove; None where none is there.

    Args:
        kept: see `find_files`.

    Raises:
        BadInputError: the configured folder is not one that may go, or holds what is kept.
    """
    if rules.repository is None:
        return None
    given = _plain(rules.repository)
    if not os.path.lexists(given):
        return None
    folder = _real_folder(given)
    _require_removable(folder, rules)
    refuse_backups_in(folder, kept)
    return _seen(folder)


def refuse_more_in(found: FoundFolder) -> None:
    """Let no folder go that holds more than was found; less is what a killed removal has left.

    Raises:
        RefusedError: there is more in it, or something newer.
    """
    folder = Path(found.path)
    if not folder.is_dir():
        return
    now = _seen(folder)
    if now.files > found.files or now.bytes > found.bytes or now.newest_ns > found.newest_ns:
        raise RefusedError(
            f"{folder} holds more than when the cleanup was begun, or newer files; move them out "
            "of it, then run the cleanup again"
        )


def _seen(folder: Path) -> FoundFolder:
    status = folder.lstat()
    inside = [entry.lstat() for entry in _walked(folder)]
    return FoundFolder(
        str(folder),
        status.st_ino,
        status.st_dev,
        len(inside),
        sum(entry.st_size for entry in inside),
        max((entry.st_mtime_ns for entry in inside), default=0),
    )


def refuse_backups_in(folder: Path, backups: Collection[Path]) -> None:
    """Let no folder go that holds a backup, or through which a backup is reached.

    Raises:
        BadInputError: it holds one; the message names it.
    """
    for backup in backups:
        if folder in {*backup.resolve().parents, *(one.resolve() for one in backup.parents)}:
            raise BadInputError(
                f"{folder} holds the backup {backup}; copy that elsewhere and take another "
                "(`sigmasight backup` with BACKUP_FOLDER outside of it), then move the old one out"
            )


def usable_folder(given: Path, rules: Rules) -> Path:
    """A configured folder as it really is.

    Raises:
        BadInputError: it is a link, is missing, leads elsewhere by `..`, or holds the project.
    """
    folder = _real_folder(_plain(given))
    if folder == Path(folder.anchor) or folder == Path.home():
        raise BadInputError(f"CLEANUP_FOLDERS: {folder} is too much; name a folder of dumps")
    if any(part in (folder, *folder.parents) for part in _own_parts()):
        raise BadInputError(f"CLEANUP_FOLDERS: {folder} is part of the project; name another")
    if rules.recursive and folder in (PROJECT_ROOT, *PROJECT_ROOT.parents):
        raise BadInputError(
            f"CLEANUP_FOLDERS: {folder} holds the project, whose own *.sql would go; name another, "
            "or unset CLEANUP_RECURSIVE"
        )
    return folder


def _require_removable(folder: Path, rules: Rules) -> None:
    allowed = [usable_folder(given, rules) for given in rules.folders]
    if not any(parent in folder.parents for parent in allowed):
        raise BadInputError(
            f"REPOSITORY_FOLDER: {folder} is not below one of CLEANUP_FOLDERS; add its parent there"
        )
    for own in (PROJECT_ROOT, *(path.resolve() for path in rules.spared)):
        if folder == own or folder in own.parents:
            raise BadInputError(f"REPOSITORY_FOLDER: {folder} holds {own}; name another")
    if any(part in (folder, *folder.parents) for part in _own_parts()):
        raise BadInputError(f"REPOSITORY_FOLDER: {folder} is part of the project; name another")
    if not any(os.path.lexists(folder / mark) for mark in (".git", MARKER)):
        raise BadInputError(
            f"REPOSITORY_FOLDER: {folder} is no git repository; put an empty file {MARKER} into it "
            "if it may go"
        )


def _own_parts() -> Iterator[Path]:
    names = ("app", "ops", "infra", "flows", "migrations_core", "migrations_ai", "tests", "docs")
    for name in (*names, "benchmarks", "tools", ".git", ".venv"):
        yield PROJECT_ROOT / name


def _plain(given: Path) -> Path:
    given = given.expanduser()
    if not given.is_absolute() or ".." in given.parts:
        raise BadInputError(f"{given} is not a plain absolute path; write it without `..`")
    return given


def _real_folder(given: Path) -> Path:
    if given.is_symlink():
        raise BadInputError(f"{given} is a symbolic link; name the folder itself")
    if not given.is_dir():
        raise BadInputError(f"{given} is no folder; correct it")
    return given.resolve(strict=True)


def _entries(
    folder: Path, recursive: bool, spared: Collection[Path]
) -> Iterator[tuple[Path, os.stat_result]]:
    for root, folders, names in os.walk(folder, followlinks=False):
        here = Path(root)
        folders[:] = [name for name in folders if recursive and here / name not in spared]
        for name in names:
            status = (here / name).lstat()
            if stat.S_ISREG(status.st_mode) and Path(name).suffix in SUFFIXES:
                yield here / name, status


def _walked(folder: Path) -> Iterator[Path]:
    for root, _folders, names in os.walk(folder, followlinks=False):
        yield from (Path(root) / name for name in names)


def _found(path: Path, status: os.stat_result) -> FoundFile:
    return FoundFile(str(path), status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)
