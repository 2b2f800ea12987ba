"""How many backups stay."""

from pathlib import Path

from sqlalchemy.engine import URL

from ops.backup import KEPT
from ops.books.backups import Backup, Database, known_backups, record_removed
from ops.errors import BadInputError


def forget_old(core: URL, database: Database, folder: Path, keep: int = KEPT) -> list[Path]:
    """Remove the files of old backups of a database below `folder`, and return them.

    The newest `keep` proved ones stay, and of the unproved those that are newer than the newest
    proved one. A database with no proved backup loses nothing.

    Raises:
        BadInputError: `keep` would leave none.
    """
    if keep < 1:
        raise BadInputError("a backup must stay; use --keep 1 or more")
    ours = [one for one in known_backups(core, database) if one.file.parent == folder]
    old = _superseded(ours, keep)
    for backup in old:
        backup.file.unlink(missing_ok=True)
    record_removed(core, [backup.id for backup in old])
    return [backup.file for backup in old]


def _superseded(newest_first: list[Backup], keep: int) -> list[Backup]:
    proved = [one for one in newest_first if one.restored_at and one.file.is_file()]
    if not proved:
        return []
    kept = {one.id for one in proved[:keep]}
    return [
        one for one in newest_first if one.id not in kept and one.taken_at <= proved[0].taken_at
    ]
