"""Copying groups of tables from legacy to the new pair, all of them as they were at one moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.engine import URL

from ops.books.copies import last_fingerprints
from ops.copy.groups import TableSpec, in_order, specs_of, tables_of
from ops.copy.report import (
    CopyReport,
    Guard,
    OnProgress,
    TableReport,
    ignore_progress,
    no_guard,
)
from ops.copy.run import TableCopy
from ops.copy.sessions import Sessions, copy_sessions
from ops.errors import VerificationError
from ops.sql_files import statement


def copy_group(
    legacy_url: URL,
    core_url: URL,
    group: str = "market",
    *,
    ai_url: URL | None = None,
    guard: Guard = no_guard,
    on_progress: OnProgress = ignore_progress,
) -> CopyReport:
    """Copy what legacy has of a group into the new pair, and say what became of every row.

    All of legacy is read in one snapshot and nothing is written to it. Each table is one
    transaction, which `guard` may still refuse before it commits: a kill at any instant leaves a
    table either as it was, indexes included, or complete. Idempotent; rows changed in legacy are
    updated, rows that only the new pair has stay. Of user-owned tables, whose ids are kept, what
    was copied once and is gone from legacy is deleted.

    Args:
        ai_url: needed for the group `ai`.
        guard: called with Core's connection as the last act of each writing transaction, also of
            those that write to AI.
        on_progress: called about twice a second while rows stream, and at each step.

    Raises:
        BadInputError: there is no such group, two addresses are one database, legacy lacks a
            column that cannot be filled or cannot be read, or the new pair refused a row.
        LegacySchemaError: it cannot be told which tables of legacy are meant, or the role may not
            read one.
        WrongDatabaseError: the new pair lacks a table; nothing was copied.
        VerificationError: rows were neither accepted nor rejected; the table was left as it was.
    """
    [report] = copy_delta(
        legacy_url, core_url, ai_url, (group,), guard=guard, on_progress=on_progress
    )
    return report


def copy_delta(
    legacy_url: URL,
    core_url: URL,
    ai_url: URL | None,
    groups: Sequence[str],
    *,
    guard: Guard = no_guard,
    on_progress: OnProgress = ignore_progress,
) -> list[CopyReport]:
    """Copy several groups as `copy_group` does, all from one snapshot of legacy, in the order of
    their references. What was not written since the last copy is neither hashed nor moved."""
    with copy_sessions(legacy_url, core_url, ai_url, in_order(groups)) as sessions:
        return copy_groups(sessions, groups, guard, on_progress)


def copy_groups(
    sessions: Sessions,
    groups: Sequence[str],
    guard: Guard,
    on_progress: OnProgress = ignore_progress,
) -> list[CopyReport]:
    """`copy_delta` from a snapshot that is open."""
    plans = [plan for spec in tables_of(groups) if (plan := sessions.plan(spec))]
    lasts = last_fingerprints(sessions.core)
    copies = {
        plan.table: TableCopy(
            sessions, sessions.target(plan.spec), plan, lasts.get(plan.table), guard, on_progress
        )
        for plan in plans
    }
    sessions.look_at_sources(plans, lasts)
    for copy in reversed(copies.values()):  # what names a row goes before it
        copy.delete()
    unwritten = sessions.unwritten(tables_of(groups))
    return [_group_report(sessions, name, copies, unwritten) for name in in_order(groups)]


def _group_report(
    sessions: Sessions, group: str, copies: Mapping[str, TableCopy], unwritten: Collection[str]
) -> CopyReport:
    tables = tuple(_report(sessions, spec, copies, unwritten) for spec in specs_of(group))
    if not any(table.table == "portfolios" for table in tables):
        return CopyReport(group, tables)
    found = sessions.core.execute(statement("copy/without_snapshots")).fetchall()
    assumed = [
        f"{name}: legacy has no snapshot of it, so that its capital is what leads to the"
        f" {equity:,.2f} that it declares"
        for name, equity in found
    ]
    return CopyReport(group, tables, tuple(assumed))


def _report(
    sessions: Sessions,
    spec: TableSpec,
    copies: Mapping[str, TableCopy],
    unwritten: Collection[str],
) -> TableReport:
    copy = copies.get(spec.table)
    if copy is None:
        report = TableReport(spec.table, "absent")
    else:
        report = _accounted(sessions, copy, unwritten=spec.table in unwritten)
    return replace(report, namesakes=sessions.legacy.place.namesakes_of(spec.table))


def _accounted(sessions: Sessions, copy: TableCopy, *, unwritten: bool) -> TableReport:
    """The copy, with the rows that are left out by rule.

    Raises:
        VerificationError: together they are not all rows of legacy.
    """
    report = copy.run(unwritten=unwritten)
    if copy.plan.counts is None:
        return report
    counted, left_out = copy.counted()
    if counted != report.source_rows:
        raise VerificationError(
            f"{report.table}: {report.source_rows} rows were accounted for, but legacy has "
            f"{counted}, beside {left_out} that are left out; run the copy again"
        )
    return replace(report, left_out=left_out)
