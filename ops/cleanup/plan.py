"""What a cleanup would remove, whether it may, and the id by which a person says so."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from ops.books.cleanup_plans import remember_shown, shown_parts
from ops.cleanup.conditions import findings_of
from ops.cleanup.facts import Facts
from ops.cleanup.folders import FoundFile, FoundFolder
from ops.cleanup.scene import Scene
from ops.connection import shown_address
from ops.errors import RefusedError, SigmaSightError
from ops.evidence.finding import Finding


@dataclass(frozen=True)
class Removal:
    """What would go.

    Attributes:
        database: identity of the old database as it was found; empty where it was not.
        address: where it is, without a password.
        rows: table → rows.
        own_server: whether its whole server goes, being one of ours.
        stack: what a declared stack removes, as `DeclaredLegacy.goes` names it.
    """

    database: Mapping[str, Any]
    address: str
    rows: Mapping[str, int]
    own_server: bool
    stack: Mapping[str, str]
    files: tuple[FoundFile, ...]
    repository: FoundFolder | None

    def parts(self) -> dict[str, Any]:
        """What must not move between a dry run and its execution."""
        files = {f"file {file.path}": asdict(file) for file in self.files}
        repository = asdict(self.repository) if self.repository else None
        server = {"own_server": self.own_server, "stack": dict(self.stack)}
        return {"database": dict(self.database), **server, "repository": repository, **files}


@dataclass(frozen=True)
class CleanupPlan:
    """All conditions as found, and what would go.

    Attributes:
        parts: what the id stands for.
        plan_id: None while a condition fails for another reason than that its time is to come.
    """

    findings: tuple[Finding, ...]
    removal: Removal
    parts: Mapping[str, Any]
    plan_id: str | None

    @property
    def unmet(self) -> tuple[Finding, ...]:
        """The conditions that do not hold now."""
        return tuple(finding for finding in self.findings if not finding.met)

    @property
    def executable(self) -> bool:
        """Whether it may be executed now."""
        return self.plan_id is not None and not self.unmet


def plan_cleanup(scene: Scene, *, ours: bool = False) -> CleanupPlan:
    """Ask every condition and look at everything that would go. Nothing is removed.

    Args:
        ours: whether the caller holds the phases' locks.
    """
    facts = Facts(scene, ours)
    findings = tuple(findings_of(facts))
    removal = _removal(facts)
    pinned = {f"condition {one.condition}": dict(one.pinned) for one in findings if one.pinned}
    parts = {**removal.parts(), **pinned}
    lasting = [one for one in findings if not one.met and not one.waits]
    plan_id = None if lasting else _digest(parts)
    if plan_id is not None:
        remember_shown(scene.core, plan_id, parts)
    return CleanupPlan(findings, removal, parts, plan_id)


def require_plan(scene: Scene, plan: CleanupPlan, plan_id: str) -> None:
    """Let only the plan pass that a person has seen, and only while every condition holds.

    Raises:
        RefusedError: a condition does not hold, or something has moved since the dry run.
    """
    if plan.unmet:
        first, *others = plan.unmet
        more = f" (and {len(others)} more: {', '.join(o.condition for o in others)})"
        raise RefusedError(
            f"not cleaned up, {first.condition}: {first.reason}{more if others else ''}"
        )
    if plan.plan_id != plan_id:
        raise RefusedError(
            f"not cleaned up: {_moved(scene, plan, plan_id)}; run `sigmasight cleanup` and look at "
            "the new plan"
        )


def _moved(scene: Scene, plan: CleanupPlan, plan_id: str) -> str:
    before = shown_parts(scene.core, plan_id)
    if before is None:
        return f"no dry run has shown a plan {plan_id}"
    names = sorted(before.keys() | plan.parts.keys())
    moved = [name for name in names if _json(before.get(name)) != _json(plan.parts.get(name))]
    return f"since plan {plan_id} this has moved: {', '.join(moved[:5])}"


def _removal(facts: Facts) -> Removal:
    scene = facts.scene
    database, rows = _known_database(facts)
    try:
        files, repository = tuple(facts.files), facts.repository
    except SigmaSightError:  # its condition says why
        files, repository = (), None
    return Removal(
        database,
        shown_address(scene.legacy) if scene.legacy else "",
        rows,
        scene.own_server is not None,
        scene.stack.goes() if scene.stack else {},
        files,
        repository,
    )


def _known_database(facts: Facts) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    try:
        found = facts.legacy
    except SigmaSightError:  # the conditions say why
        return {}, {}
    return dict(found.identity), {name: one.rows for name, one in found.content.tables.items()}


def _digest(parts: Mapping[str, Any]) -> str:
    return sha256(_json(parts).encode()).hexdigest()[:12]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
