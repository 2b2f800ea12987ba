"""What a rollback would lose, written into one file before it is lost."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from ops.backup.files import written_whole
from ops.carrying.changes import Changes, changed_rows
from ops.carrying.losses_file import MANIFEST, Manifest, member_of, open_losses
from ops.carrying.rollback_price import counted
from ops.copy.stream import csv_of
from ops.database_identity import identity_in
from ops.errors import BadInputError, ConfigurationError, RefusedError
from ops.user_tables import UserTable


def export_changes(changes: Changes, path: Path) -> int:
    """Write changes, which AI's session knows by `bring_to_ai`, into a new file: inserted and
    updated rows whole, of deleted ones the keys; how many. `import_losses` puts it into the pair
    that serves.

    The file holds what users wrote, so only its owner can read it. It appears whole or not at all,
    in the place of one that was written of the same swap: what that holds is still in the pair.

    Raises:
        RefusedError: there is another file of this name.
        BadInputError: its folder does not exist.
        ConfigurationError: it cannot be written.
    """
    manifest = _manifest(changes)
    with _new_archive(path, manifest) as archive:
        for table in manifest.tables:
            _write(changes, table, archive)
    return sum(sum(kinds.values()) for kinds in manifest.changes.values())


def keep_changes(changes: Changes, folder: Path, what: str) -> Path:
    """`export_changes` into a file of `folder`, named by what happened and when; its path."""
    path = folder / f"{what}-{datetime.now(UTC):%Y%m%dT%H%M%S}.zip"
    export_changes(changes, path)
    return path


def refuse_taken(path: Path, source: Mapping[str, Any], since: datetime) -> None:
    """Say what would prevent a file of this name.

    Args:
        source, since: of the manifest that it would have.

    Raises:
        RefusedError: there is one already, and not of the same swap.
        BadInputError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise BadInputError(f"there is no folder {path.parent}; make it or name another file")
    if not os.path.lexists(path):
        return
    try:
        with open_losses(path) as file:
            same = (file.manifest.source, file.manifest.since) == (source, since)
    except BadInputError:
        same = False
    if path.is_symlink() or not same:
        raise RefusedError(f"{path} exists already and is not overwritten; name another file")


def _manifest(changes: Changes) -> Manifest:
    return Manifest(
        format="sigmasight losses",
        version=3,
        written_at=datetime.now(UTC),
        since=changes.since,
        source={"core": identity_in(changes.core), "ai": identity_in(changes.ai)},
        changes={
            price.table: {kind: rows for kind, rows in price.counts.items() if rows}
            for price in counted(changes.core)
        },
    )


def _write(changes: Changes, table: UserTable, archive: ZipFile) -> None:
    with (
        archive.open(member_of(table), "w", force_zip64=True) as member,
        csv_of(changes.session(table), changed_rows(table), header=True) as rows,
    ):
        member.writelines(rows)


@contextmanager
def _new_archive(path: Path, manifest: Manifest) -> Iterator[ZipFile]:
    """A file that appears under its name when the block ends well."""
    refuse_taken(path, manifest.source, manifest.since)
    try:
        with written_whole(path) as descriptor:
            # Requests wait meanwhile: the fastest level takes half the time, for little more space.
            with (
                open(descriptor, "wb", closefd=False) as file,
                ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive,
            ):
                archive.writestr(MANIFEST, manifest.model_dump_json())
                yield archive
            refuse_taken(path, manifest.source, manifest.since)  # by somebody, meanwhile
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror or error}); correct that or name another"
        ) from None
