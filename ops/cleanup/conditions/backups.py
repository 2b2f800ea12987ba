"""Conditions on what is left when the old database is gone."""

from collections.abc import Mapping
from typing import Any

from ops.backup.content import differences
from ops.backup.files import sha256_of
from ops.backup.record import Backup, Database
from ops.cleanup.dates import FRESH
from ops.cleanup.facts import Facts
from ops.cleanup.finding import Finding
from ops.errors import RefusedError

LEAST_WAIVER = 40
_WAIVED = "waived in writing: "


def core_backed_up(facts: Facts) -> Finding:
    """A proved backup of Core of the last day is still there."""
    return _fresh("Core backed up", facts, "core", facts.core_identity)


def ai_backed_up(facts: Facts) -> Finding:
    """A proved backup of AI of the last day is still there."""
    shared: Database = "core" if facts.scene.shared else "ai"
    return _fresh("AI backed up", facts, shared, facts.ai_identity)


def _fresh(name: str, facts: Facts, database: Database, whose: Mapping[str, Any]) -> Finding:
    found = _newest(facts, database, whose)
    if found is None:
        reason = f"no proved backup of this {database} is known; run `sigmasight backup`"
        return Finding(name, False, reason, waits=True)
    age = facts.scene.now - found.taken_at
    if age > FRESH:
        reason = f"the backup of {found.taken_at:%Y-%m-%d %H:%M} UTC is older than 24 hours; "
        return Finding(name, False, reason + "run `sigmasight backup`", waits=True)
    require_file(found)
    return Finding(name, True, _line(found), _evidence(found))


def legacy_dumped(facts: Facts) -> Finding:
    """A dump taken after the lock was restored and found equal; its file is as it was."""
    name = "old database dumped and restored"
    if facts.scene.waiver is not None:
        return _waived(name, facts.scene.waiver)
    found = _dump(facts)
    if found is None:
        reason = (
            "no proved dump of the old database was taken since the swap; run "
            "`sigmasight backup`, or say who does without it and why by --waive-dump"
        )
        return Finding(name, False, reason)
    require_file(found)
    evidence = _evidence(found)
    return Finding(name, True, _line(found), evidence, pinned={"sha256": found.sha256})


def legacy_as_dumped(facts: Facts) -> Finding:
    """What would be dropped is, row by row, what the dump holds."""
    name = "old database is as dumped"
    if facts.scene.waiver is not None:
        return _waived(name, facts.scene.waiver)
    found = _dump(facts)
    if found is None:
        return Finding(name, False, "there is no dump to compare with")
    held, live = found.held, facts.legacy.content
    unequal = [one for one in differences(held, live) if not one.startswith("number of")]
    if unequal:
        reason = f"it differs from its dump in {', '.join(unequal[:3])}; find out who wrote to it"
        return Finding(name, False, reason)
    return Finding(name, True, f"{live.rows:,} rows of {len(live.tables)} tables, all equal")


def require_file(found: Backup) -> None:
    """See that a backup's file is there and is what was proved.

    Raises:
        RefusedError: it is gone or was changed.
    """
    try:
        same = sha256_of(found.file) == found.sha256
    except OSError as error:
        raise RefusedError(
            f"{found.file} cannot be read ({error.strerror}); run `sigmasight backup`"
        ) from None
    if not same:
        raise RefusedError(f"{found.file} is not what was backed up; run `sigmasight backup`")


def _newest(facts: Facts, database: Database, whose: Mapping[str, Any]) -> Backup | None:
    return next(
        (
            one
            for one in facts.backups
            if one.database == database and one.restored_at and dict(one.identity) == dict(whose)
        ),
        None,
    )


def _dump(facts: Facts) -> Backup | None:
    found = _newest(facts, "legacy", facts.swap.legacy)
    ended = facts.swap.ended_at
    assert ended is not None  # `Facts.swap` has seen to it
    return found if found is not None and found.taken_at >= ended else None


def _waived(name: str, waiver: str) -> Finding:
    if len(waiver.strip()) < LEAST_WAIVER or len(waiver.split()) < 6:
        reason = f"the waiver must say who and why in a sentence ({LEAST_WAIVER} letters or more)"
        return Finding(name, False, reason)
    return Finding(name, True, _WAIVED + waiver, {"waiver": waiver}, pinned={"waiver": waiver})


def _line(found: Backup) -> str:
    return f"{found.file}, taken {found.taken_at:%Y-%m-%d %H:%M} UTC, restored and found equal"


def _evidence(found: Backup) -> dict[str, Any]:
    return {
        "backup": found.id,
        "path": found.path,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "taken_at": found.taken_at.isoformat(),
        "restored_at": str(found.restored_at),
    }
