"""A backup, taken and proved.

    lock → snapshot ┬ pg_dump of the snapshot into a file
                    └ hashes of the snapshot        → record → restore → hashes → compare → proved

Dump and hashes see one exported snapshot, so a database that is written to meanwhile compares
equal. Killed at any line, it leaves no file with a backup's name that is not whole, and no scratch
database beyond the next run.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy.engine import URL

from ops.backup.content import Content, content_of, differences, sequences_of
from ops.backup.files import forget_parts, own_folder, require_space, sha256_of, written_whole
from ops.backup.programs import RESTORE_ALONE, Programs, programs_for
from ops.backup.scratch import Source, scratch_database, source_of
from ops.books.backups import Backup, Database, known_backups, record_dump, record_restored
from ops.books.run_lock import exclusive_backup
from ops.connection import connect, first_value, session_at
from ops.database_identity import identity
from ops.errors import VerificationError

_DUMP = ("--format=custom", "--no-sync")  # we sync the file ourselves


@dataclass(frozen=True)
class _Dumped:
    """A dump on disk, and what its snapshot held."""

    file: Path
    content: Content
    taken_at: datetime


def backup(url: URL, database: Database, folder: Path, core: URL) -> Backup:
    """Dump a database below `folder`, restore the dump, compare, and record all of it in Core.

    Args:
        url: the address of a role that may read everything; where it may also create databases
            (with extensions: as superuser), the dump is restored beside its source.

    Raises:
        BusyError: another backup of this database is under way.
        RefusedError: the disk has no room for it.
        VerificationError: the restored copy differs; the dump stays, recorded as not proved.
    """
    with exclusive_backup(core, database):
        own_folder(folder)
        forget_parts(folder, database)
        mark = _mark(core, database)
        source, programs = _look(url, folder)
        dumped = _dump(url, programs, folder, database)
        recorded = record_dump(
            core,
            database,
            identity(url),
            dumped.file,
            sha256_of(dumped.file),
            dumped.content.as_json(),
            dumped.taken_at,
        )
        with scratch_database(source, url, mark) as scratch:
            _restore(dumped.file, programs, scratch)
            _compare(dumped, scratch)
        record_restored(core, recorded)
    return next(one for one in known_backups(core, database) if one.id == recorded)


def _mark(core: URL, database: Database) -> str:
    whose = f"{sorted(identity(core).items())} {database}"
    return sha256(whose.encode()).hexdigest()[:12]


def _look(url: URL, folder: Path) -> tuple[Source, Programs]:
    with session_at(url, "backup", read_only=True) as session:
        size = int(first_value(session, "SELECT pg_database_size(current_database())"))
        source = source_of(session)
    # The restored copy, too, may lie on this disk.
    require_space({folder: 2 * size})
    return source, programs_for(source.server_version)


def _dump(url: URL, programs: Programs, folder: Path, database: Database) -> _Dumped:
    with session_at(url, "backup", snapshot=True) as session:
        row = session.execute("SELECT pg_export_snapshot(), clock_timestamp()").fetchone()
        assert row is not None
        snapshot, taken_at = row
        # They obey no snapshot: seen before the dump sees them, they can only be ahead there.
        sequences = sequences_of(session)
        file = folder / f"{database}-{taken_at:%Y%m%dT%H%M%S%f}Z.dump"
        with (
            written_whole(file) as descriptor,
            programs.start(
                "pg_dump", [*_DUMP, f"--snapshot={snapshot}"], url, stdout=descriptor
            ) as dump,
        ):
            content = replace(content_of(session), sequences=sequences)
            dump.finish()
    return _Dumped(file, content, taken_at)


def _restore(file: Path, programs: Programs, scratch: URL) -> None:
    with programs.start("pg_restore", [*RESTORE_ALONE, str(file)], scratch) as restore:
        restore.finish()


def _compare(dumped: _Dumped, scratch: URL) -> None:
    with connect(scratch, application_name="backup", read_only=True) as session:
        found = content_of(session)
    unequal = differences(dumped.content, found)
    if unequal:
        raise VerificationError(
            f"the restored copy of {dumped.file} differs from what was dumped in "
            f"{', '.join(unequal)}; take another backup, and look at the server's disks"
        )
