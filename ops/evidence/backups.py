"""Whether a database counts as backed up."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ops.books.backups import Backup, Database
from ops.database_identity import same_identity
from ops.evidence import GOOD_FOR
from ops.evidence.finding import Finding

_ADVICE = "run `sigmasight backup`"
NAMES: Mapping[Database, str] = {"core": "Core", "ai": "AI", "legacy": "the old database"}


def newest_proved(
    backups: Iterable[Backup], database: Database, identity: Mapping[str, Any] | None = None
) -> Backup | None:
    """The newest backup of a database that a restore has proved.

    Args:
        backups: newest first.
        identity: of the very database; by default any that bears its name.
    """
    return next(
        (
            one
            for one in backups
            if one.database == database
            and one.restored_at is not None
            and (identity is None or same_identity(one.identity, identity))
        ),
        None,
    )


def backed_up(
    backups: Iterable[Backup],
    database: Database,
    now: datetime,
    identity: Mapping[str, Any] | None = None,
) -> Finding:
    """A backup of the last day was restored and found equal. See `newest_proved`."""
    shown = NAMES[database]
    name = f"{shown} backed up"
    found = newest_proved(backups, database, identity)
    if found is None:
        reason = f"no proved backup of {shown} is known; {_ADVICE}"
        return Finding(name, False, reason, waits=True)
    if now - found.taken_at > GOOD_FOR:
        reason = f"the backup of {shown} of {found.taken_at:%Y-%m-%d %H:%M} UTC is older than 24 h"
        return Finding(name, False, f"{reason}; {_ADVICE}", waits=True)
    return Finding(name, True, described(found), evidence_of(found))


def described(found: Backup) -> str:
    """A proved backup in one line."""
    return f"{found.file}, taken {found.taken_at:%Y-%m-%d %H:%M} UTC, restored and found equal"


def evidence_of(found: Backup) -> dict[str, Any]:
    """A proved backup for the record."""
    return {
        "backup": found.id,
        "path": found.path,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "taken_at": found.taken_at.isoformat(),
        "restored_at": str(found.restored_at),
    }
