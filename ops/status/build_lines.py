"""Lines 1 to 6: what is built. Chains, databases, migrations, backup, seeding."""

import ast
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from app.chain_folders import SCRIPT_LOCATIONS
from ops.books.backups import Backup, Database
from ops.errors import SigmaSightError
from ops.evidence import backups
from ops.status.core_facts import CoreFacts, Schema
from ops.status.line import ChecklistLine, State, age
from ops.status.looks import WAIT_LONGER, Answer, state_after

CORE_TABLES, AI_TABLES = 38, 4


def chain_heads() -> Mapping[str, tuple[str, ...]]:
    """The heads of both migration chains, as the repository has them."""
    return {str(chain): _heads(folder) for chain, folder in SCRIPT_LOCATIONS.items()}


def _heads(folder: Path) -> tuple[str, ...]:
    """Read off the files, because Alembic takes longer to import than all the rest of a look."""
    told = [_assigned(path) for path in sorted((folder / "versions").glob("*.py"))]
    passed = {one.get("down_revision") for one in told}
    return tuple(one["revision"] for one in told if one["revision"] not in passed)


def _assigned(path: Path) -> dict[str, str]:
    """The names that a revision's file gives a text."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                found[name] = text
    return found


def repository(heads: Answer[Mapping[str, tuple[str, ...]]]) -> ChecklistLine:
    """Line 1: each chain has one head."""
    try:
        found = heads.get()
    except (SigmaSightError, OSError) as error:
        return ChecklistLine("1", "repository", state_after(error), str(error))
    words = ", ".join(f"{chain} chain at {'/'.join(ends)}" for chain, ends in found.items())
    if all(len(ends) == 1 for ends in found.values()):
        return ChecklistLine("1", "repository", "done", words)
    reason = f"{words}: a chain has not one head"
    return ChecklistLine("1", "repository", "failed", reason, next="merge the chain's heads")


def databases(
    versions: Mapping[str, str],
    absent: Mapping[str, SigmaSightError],
    *,
    gone: bool,
    ours: bool,
    locked: bool,
) -> ChecklistLine:
    """Line 2: who answers.

    Args:
        versions: server version by database that answers.
        absent: what is wrong with each that does not.
        gone: the old database was removed, or a cleanup that does so was begun.
        ours: whether `sigmasight up` starts the servers.
        locked: whether the old database answers, and bears the lock of a swap.
    """
    answers = ", ".join(f"{name} (PostgreSQL {version})" for name, version in versions.items())
    words = f"{answers or 'none'} answer{'' if len(versions) > 1 else 's'}"
    if gone:
        words += "; the old one was removed, or is being"
    if absent:
        reasons = "; ".join(map(str, absent.values()))
        state: State = "failed" if "failed" in map(state_after, absent.values()) else "unknown"
        step = _bring_back(ours=ours, locked=locked) if state == "failed" else WAIT_LONGER
        return ChecklistLine("2", "databases", state, f"{words}; {reasons}", next=step)
    return ChecklistLine("2", "databases", "done", words)


def _bring_back(*, ours: bool, locked: bool) -> str:
    step = "sigmasight up" if ours else "start its server again"
    return f"{step}, or, where it is lost for good, sigmasight rollback --blind" if locked else step


def migrated(
    number: str,
    phase: str,
    schema: Schema | None,
    expected: int,
    heads: Mapping[str, tuple[str, ...]],
) -> ChecklistLine:
    """Line 3 or 4: the tables, and the revision beside its chain's head.

    Args:
        heads: the heads of the chain; empty where they could not be read.
    """
    step = "sigmasight migrate"
    if schema is None:
        return ChecklistLine(number, phase, "open", "not begun", next=step)
    half = "ai" if expected == AI_TABLES else "core"
    if schema.role not in (half, "shared"):
        words, right = f"this database is marked as {schema.role!r}", "correct the two addresses"
        return ChecklistLine(number, phase, "failed", words, next=right)
    wanted = CORE_TABLES + AI_TABLES if schema.role == "shared" else expected
    evidence = f"{schema.tables} of {wanted} tables, revision {schema.revision or 'none'}"
    if expected == AI_TABLES:
        evidence += f", pgvector {schema.vector or 'missing'}"
    chain = heads.get(half)
    if chain is not None and schema.revision not in chain:
        return ChecklistLine(
            number, phase, "open", f"{evidence}, behind head {'/'.join(chain)}", next=step
        )
    if schema.tables != wanted:
        return ChecklistLine(number, phase, "open", evidence, next="sigmasight drift")
    return ChecklistLine(number, phase, "done", evidence)


def seeded(core: CoreFacts) -> ChecklistLine:
    """Line 6."""
    found = core.seeded
    if found is None or not found["factors"]:
        step = "sigmasight seed"
        return ChecklistLine("6", "seeding", "open", "not begun", next=step)
    evidence = "{users} users, {portfolios} portfolios, {positions} positions".format(**found)
    return ChecklistLine("6", "seeding", "done", evidence, at=found["moment"])


def backed_up(core: CoreFacts, *, has_legacy: bool) -> ChecklistLine:
    """Line 5: the old database is the backup until its cleanup; then the dumps are."""
    kept = has_legacy and core.tombstone is None
    if not kept and not (core.seeded and core.seeded["users"]):
        return ChecklistLine("5", "backup", "skipped", "there is nothing to lose yet")
    newest: dict[Database, Backup] = {}
    for one in core.backups:
        newest.setdefault(one.database, one)
    words = ["the old database is the backup"] if kept else []
    words += [_backup(one) for one in newest.values()]
    state: State = "done" if newest else "skipped" if kept else "open"
    moment = min((one.taken_at for one in newest.values()), default=None)
    evidence = "; ".join(words) or "no backup was taken"
    line = ChecklistLine("5", "backup", state, evidence, at=moment)
    reason = _backup_fault(core, kept=kept)
    return line.grown_stale(reason, "sigmasight backup") if reason else line


def _backup(one: Backup) -> str:
    proof = "restored and equal" if one.restored_at else "not yet proved by a restore"
    return f"{one.database} {age(one.taken_at)} ago, {proof}"


def _backup_fault(core: CoreFacts, *, kept: bool) -> str | None:
    """Why what is there would not bring everything back; None where it would."""
    if kept and core.swap_in_force is None:
        return None
    shared = core.schema is not None and core.schema.role == "shared"
    halves: tuple[Database, ...] = ("core",) if shared else ("core", "ai")
    found = (backups.backed_up(core.backups, half, datetime.now(UTC)) for half in halves)
    return next((one.reason.rpartition(";")[0] for one in found if not one.met), None)
