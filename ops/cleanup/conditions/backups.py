"""Conditions on what is left when the old database is gone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ops.assessment.fates import unknown_tables
from ops.backup.content import Content, differences
from ops.backup.files import sha256_of
from ops.books.backups import Backup, Database
from ops.cleanup.facts import Facts
from ops.connection import schema_within
from ops.errors import RefusedError
from ops.evidence.backups import backed_up, described, evidence_of, newest_proved
from ops.evidence.finding import Finding

DUMPED = "old database dumped and restored"
LEAST_WAIVER = 40
_WAIVED = "waived in writing: "


def core_backed_up(facts: Facts) -> Finding:
    """A proved backup of Core of the last day is still there."""
    return _fresh(facts, "core", facts.core_identity)


def ai_backed_up(facts: Facts) -> Finding:
    """A proved backup of AI of the last day is still there."""
    shared: Database = "core" if facts.scene.shared else "ai"
    return replace(_fresh(facts, shared, facts.ai_identity), condition="AI backed up")


def _fresh(facts: Facts, database: Database, whose: Mapping[str, Any]) -> Finding:
    found = backed_up(facts.backups, database, facts.scene.now, whose)
    proved = newest_proved(facts.backups, database, whose)
    if found.met and proved is not None:
        require_file(proved.file, proved.sha256)
    return found


def legacy_dumped(facts: Facts) -> Finding:
    """A dump taken after the lock was restored and found equal; its file is as it was."""
    name = DUMPED
    if facts.scene.waiver is not None:
        chosen = schema_within(facts.legacy_url)
        return _waived_by_name(name, facts.scene.waiver, facts.legacy.content, chosen)
    found = _dump(facts)
    if found is None:
        reason = (
            "no proved dump of the old database was taken since the swap; run "
            "`sigmasight backup`, or say who does without it and why by --waive-dump"
        )
        return Finding(name, False, reason)
    require_file(found.file, found.sha256)
    evidence = evidence_of(found)
    return Finding(name, True, described(found), evidence, pinned={"sha256": found.sha256})


def legacy_as_dumped(facts: Facts) -> Finding:
    """What would be dropped is, row by row, what the dump holds."""
    name = "old database is as dumped"
    if facts.scene.waiver is not None:
        return _waived(name, facts.scene.waiver)
    found = _dump(facts)
    if found is None:
        return Finding(name, False, "there is no dump to compare with")
    held, live = Content.from_json(found.content), facts.legacy.content
    unequal = [one for one in differences(held, live) if not one.startswith("number of")]
    if unequal:
        reason = f"it differs from its dump in {', '.join(unequal)}; find out who wrote to it"
        return Finding(name, False, reason)
    return Finding(name, True, f"{live.rows:,} rows of {len(live.tables)} tables, all equal")


def require_file(file: Path, sha256: str, advice: str = "run `sigmasight backup`") -> None:
    """See that a backup's file is there and is what was proved.

    Raises:
        RefusedError: it is gone or was changed.
    """
    try:
        same = sha256_of(file) == sha256
    except OSError as error:
        raise RefusedError(f"{file} cannot be read ({error.strerror}); {advice}") from None
    if not same:
        raise RefusedError(f"{file} is not what was backed up; {advice}")


def _dump(facts: Facts) -> Backup | None:
    found = newest_proved(facts.backups, "legacy", facts.swap.legacy)
    return found if found is not None and found.taken_at >= facts.swapped_at else None


def _waived_by_name(name: str, waiver: str, held: Content, schema: str | None) -> Finding:
    """Of tables that nothing of ours knows nobody has a copy, so the waiver must name them."""
    rows = {table: found.rows for table, found in held.tables.items()}
    unnamed = [table for table in unknown_tables(rows, schema) if table not in waiver]
    waived = _waived(name, waiver)
    if waived.met and unnamed:
        reason = (
            f"nothing of ours knows {', '.join(unnamed)}, which hold rows; run "
            "`sigmasight backup`, or name them in the waiver"
        )
        return Finding(name, False, reason, {"unknown": unnamed})
    return waived


def _waived(name: str, waiver: str) -> Finding:
    if len(waiver.strip()) < LEAST_WAIVER or len(waiver.split()) < 6:
        reason = f"the waiver must say who and why in a sentence ({LEAST_WAIVER} letters or more)"
        return Finding(name, False, reason)
    return Finding(name, True, _WAIVED + waiver, {"waiver": waiver}, pinned={"waiver": waiver})
