"""A plan and a tombstone as a person reads them."""

from ops.books.tombstones import Tombstone
from ops.cleanup.plan import CleanupPlan, Removal
from ops.markdown import table

_SHOWN_FILES = 50


def plan_lines(plan: CleanupPlan) -> list[str]:
    """The plan as lines of a log."""
    lines = [finding.line() for finding in plan.findings]
    return [*lines, *_removal_lines(plan.removal), what_to_type(plan)]


def what_to_type(plan: CleanupPlan) -> str:
    """What follows from a dry run."""
    if plan.executable:
        return (
            f"every condition holds; plan id {plan.plan_id}: run `sigmasight cleanup --execute "
            f"--plan-id {plan.plan_id}`"
        )
    unmet = ", ".join(finding.condition for finding in plan.unmet)
    if plan.plan_id is not None:
        return (
            f"not yet: {unmet}; plan id {plan.plan_id}: run `sigmasight cleanup --approve "
            f"{plan.plan_id}` to let the schedule execute it when these hold too"
        )
    return f"refused, {len(plan.unmet)} conditions do not hold: {unmet}"


def plan_markdown(plan: CleanupPlan, heading: str) -> str:
    """The plan as an artifact."""
    return "\n".join(
        [
            f"# {heading}",
            "",
            f"**{what_to_type(plan)}**",
            "",
            *table(("condition", "", "why"), (found.words() for found in plan.findings)),
            "",
            "## What would be removed",
            "",
            *(f"- {line}" for line in _removal_lines(plan.removal)),
        ]
    )


def tombstone_lines(done: Tombstone) -> list[str]:
    """What was removed, as lines of a log."""
    outcome = dict(done.removed["outcome"])
    files = outcome.pop("files", {})
    lines = [f"{what}: {_joined(became)}" for what, became in outcome.items()]
    return [*lines, *(f"{path}: {became}" for path, became in files.items())]


def tombstone_markdown(done: Tombstone) -> str:
    """What was removed and why it was allowed, as an artifact."""
    database = done.removed["database"]
    evidence = ((name, found["reason"]) for name, found in done.evidence.items())
    rows = ((name, f"{count:,}") for name, count in database["rows"].items())
    return "\n".join(
        [
            f"# Cleanup {done.plan_id}: {done.state}",
            "",
            *(f"- {line}" for line in tombstone_lines(done)),
            "",
            *table(("condition", "evidence"), evidence),
            "",
            f"Rows of {database['address']}:",
            "",
            *table(("table", "rows:"), rows),
        ]
    )


def _joined(became: object) -> str:
    return "; ".join(map(str, became)) or "nothing" if isinstance(became, list) else str(became)


def _removal_lines(removal: Removal) -> list[str]:
    lines = []
    if removal.database:
        rows = f"{sum(removal.rows.values()):,} rows in {len(removal.rows)} tables"
        server = ", with its whole server" if removal.own_server else ""
        lines.append(f"would go: database {removal.address} ({rows}){server}")
    lines += [f"would go: {name} ({which})" for name, which in removal.stack.items()]
    if removal.repository:
        lines.append(f"would go: folder {removal.repository.path}")
    lines += [f"would go: file {file.path} ({file.bytes:,} bytes)" for file in removal.files]
    hidden = len(removal.files) - _SHOWN_FILES
    return lines if hidden <= 0 else [*lines[:-hidden], f"would go: {hidden} files more"]
