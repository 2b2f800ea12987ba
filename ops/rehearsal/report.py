"""What a rehearsal measured, as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from ops.markdown import table
from ops.plan_figures import FIGURES
from ops.rehearsal.commands import RanCommand
from ops.rehearsal.evidence import Evidence
from ops.rehearsal.load import Asked

PLAN_HOURS = 4
"""What the move took when it was carried out by hand."""


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal that came to its end has measured.

    Attributes:
        source: the old database that it started from, in words.
        commands: those that were run, in order.
        asked: what clients asked during each, by the step's name.
        price: what the first swap left behind, and what a real one would ask for it.
        links: step → where its run is seen in the history.
    """

    begun_at: datetime
    seconds: float
    source: str
    first: date
    last: date
    commands: tuple[RanCommand, ...]
    asked: Mapping[str, Asked]
    price: str
    evidence: Evidence
    links: Mapping[str, str] = field(default_factory=dict)


def markdown(rehearsal: Rehearsal) -> str:
    """The report."""
    found = rehearsal.evidence
    parts = (
        _heading(rehearsal),
        _steps(rehearsal),
        _phases(found),
        _cutovers(found),
        f"## The price of a swap\n\n{rehearsal.price}",
        _load(rehearsal.asked),
        _copied(found),
        _figures(found),
        _verified(found),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(rehearsal: Rehearsal) -> str:
    when = f"{rehearsal.begun_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    lines = [
        "# Rehearsal of the move",
        "",
        f"Begun {when}, from {rehearsal.source}, days {rehearsal.first}..{rehearsal.last}, on "
        "throw-away instances.",
        "",
    ]
    share = PLAN_HOURS * 3600 / max(rehearsal.seconds, 0.001)
    lines.append(
        f"The whole move, with a rollback and a second swap, took **{rehearsal.seconds:.0f} s**; "
        f"by hand the move alone took about {PLAN_HOURS} hours, {share:,.0f} times as long."
    )
    return "\n".join(lines)


def _steps(rehearsal: Rehearsal) -> str:
    rows = [
        [_linked(one.name, rehearsal.links), _command(one), _s(one.seconds)]
        for one in rehearsal.commands
    ]
    return _table("Steps", ("step", "command", "seconds"), rows)


def _command(one: RanCommand) -> str:
    return f"`sigmasight {' '.join(one.words)}`" if one.words else "pg_dump into pg_restore"


def _linked(name: str, links: Mapping[str, str]) -> str:
    return f"[{name}]({links[name]})" if name in links else name


def _phases(found: Evidence) -> str:
    rows = [[name, _s(seconds)] for name, seconds in found.phases.items()]
    return _table("Phases of the rebuild", ("phase", "seconds"), rows)


def _cutovers(found: Evidence) -> str:
    rows = []
    for number, one in enumerate(found.cutovers, 1):
        held = "-" if one.held_seconds is None else f"{one.held_seconds:.3f}"
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in _longest(one.timings))
        rows.append([f"{number}. {one.kind}", one.state, held, steps])
    headings = ("cutover", "state", "requests held, seconds", "seconds by step")
    return _table("Swaps and rollback", headings, rows)


def _longest(timings: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(timings.items(), key=lambda one: one[1], reverse=True)


def _copied(found: Evidence) -> str:
    rows = [[one.table_name, f"{one.accepted:,}", f"{one.rejected:,}"] for one in found.copied]
    return _table("Copied rows", ("table", "accepted", "rejected"), rows)


def _verified(found: Evidence) -> str:
    last = found.verification
    if last is None:
        return "Verification was never reached."
    return (
        f"Verification at the end: **{last.passed} passed, {last.failed} failed, "
        f"{last.skipped} skipped**."
    )


def _figures(found: Evidence) -> str:
    rows = [
        [table, f"{plan:,}", f"{found.rows[table]:,}"]
        for table, plan in FIGURES.items()
        if table in found.rows
    ]
    return _table("Rows beside the plan's figures", ("table", "plan", "rehearsed"), rows)


def _load(asked: Mapping[str, Asked]) -> str:
    rows = []
    for step, one in asked.items():
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in sorted(one.pairs.items()))
        waited = f"{one.longest_seconds:.2f}"
        rows.append([step, f"{one.requests:,}", f"{one.lost:,}", waited, pairs])
    headings = ("during", "requests", "lost", "longest wait, seconds", "answered by pair")
    return _table("Clients that asked throughout", headings, rows)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return "\n".join([f"## {title}", "", *table(headings, rows)])


def _s(seconds: float) -> str:
    return f"{seconds:.1f}"
