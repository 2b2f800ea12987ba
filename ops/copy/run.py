"""Copying a group of tables from legacy to Core."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.content_hash import TableHash, content_hash
from ops.copy.core import core_session
from ops.copy.direct import is_empty, load_directly
from ops.copy.fingerprint import Fingerprint, last_fingerprint, record_fingerprint
from ops.copy.groups import TableSpec, specs_of
from ops.copy.indexes import drop_indexes
from ops.copy.legacy import Legacy, legacy_snapshot
from ops.copy.merge import Merged, merge
from ops.copy.plan import TablePlan, plan_table
from ops.copy.rejects import forget_rejects, rejects_by_kind
from ops.copy.report import (
    CopyReport,
    Guard,
    Meter,
    OnProgress,
    TableReport,
    ignore_progress,
    no_guard,
)
from ops.copy.staging import stage
from ops.errors import BadInputError, VerificationError

T = TypeVar("T")


def copy_group(
    legacy_url: URL,
    core_url: URL,
    group: str = "market",
    *,
    guard: Guard = no_guard,
    on_progress: OnProgress = ignore_progress,
) -> CopyReport:
    """Copy what legacy has of a group into Core, and say what became of every row.

    All of legacy is read in one snapshot and nothing is written to it. Each table is one
    transaction in Core, which `guard` may still refuse before it commits: a kill at any instant
    leaves a table either as it was, indexes included, or complete. Twice is once; rows changed in
    legacy are updated, rows that only Core has stay.

    Args:
        guard: called with Core's connection as the last act of each writing transaction.
        on_progress: called about twice a second while rows stream, and at each step.

    Raises:
        BadInputError: there is no such group, both addresses are one database, legacy lacks a
            column that cannot be filled or cannot be read, or Core refused a row.
        WrongDatabaseError: Core lacks a table; nothing was copied.
        VerificationError: rows were neither accepted nor rejected; the table was left as it was.
    """
    specs = specs_of(group)
    if same_database(legacy_url, core_url):
        raise BadInputError(
            "legacy and Core are the same database; correct LEGACY_DATABASE_URL or DATABASE_URL"
        )
    with core_session(core_url) as core, legacy_snapshot(legacy_url) as legacy:
        plans = [(spec, plan_table(legacy, core, spec)) for spec in specs]
        reports = [
            _Copy(legacy, core, plan, guard, on_progress).run() if plan else _absent(spec)
            for spec, plan in plans
        ]
    return CopyReport(group, tuple(reports))


def _absent(spec: TableSpec) -> TableReport:
    return TableReport(spec.table, "absent")


@dataclass
class _Copy:
    """One table's copy."""

    legacy: Legacy
    core: psycopg.Connection
    plan: TablePlan
    guard: Guard
    on_progress: OnProgress
    hashing_seconds: float = 0.0

    def run(self) -> TableReport:
        started = time.monotonic()
        source = self._timed(self._source_hash)
        report = self._unchanged(source) or self._changed(source)
        total = time.monotonic() - started
        return replace(
            report,
            ignored_columns=self.plan.ignored,
            filled_columns=(*(column.name for column in self.plan.filled), *self.plan.absent),
            seconds=total - self.hashing_seconds,
            hashing_seconds=self.hashing_seconds,
        )

    def _source_hash(self) -> TableHash:
        columns = [sql.Identifier(name) for name in self.plan.names]
        rows = self.legacy.hash(self.plan.source, columns)
        return TableHash(rows.rows, f"{rows.digest}:{self.plan.shape()}")

    def _unchanged(self, source: TableHash) -> TableReport | None:
        last = last_fingerprint(self.core, self.plan.table)
        if last is None or last.source_hash != source.digest:
            return None
        if self._timed(self._core_hash).digest != last.core_hash:
            return None
        return TableReport(
            self.plan.table,
            "unchanged",
            source_rows=last.source_rows,
            accepted=last.accepted_rows,
            rejected=rejects_by_kind(self.core, self.plan.table),
            unchanged=last.accepted_rows,
        )

    def _changed(self, source: TableHash) -> TableReport:
        meter = Meter(self.plan.table, source.rows, self.on_progress)
        looks_empty = is_empty(self.core, self.plan)
        with self.core.transaction():
            forget_rejects(self.core, self.plan.table)
            report = self._load(meter, self._lock() if looks_empty else False)
            report = replace(
                report,
                source_rows=source.rows,
                rejected=rejects_by_kind(self.core, self.plan.table),
            )
            _require_every_row(report)
            meter.enter("hashing")
            left = self._timed(self._core_hash)
            record_fingerprint(
                self.core,
                self.plan,
                Fingerprint(source.rows, report.accepted, source.digest, left.digest),
            )
            self.guard(self.core)
        meter.enter("done")
        return report

    def _lock(self) -> bool:
        """Keep everybody out, so that indexes can go; whether the table is empty even then."""
        self.core.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(self.plan.target.identifier)
        )
        return is_empty(self.core, self.plan)

    def _load(self, meter: Meter, empty: bool) -> TableReport:
        table = self.plan.table
        if empty and self.plan.straight:
            written = load_directly(self.legacy, self.core, self.plan, meter)
            self._analyze()
            return TableReport(table, "direct", accepted=written, inserted=written)
        accepted = stage(self.legacy, self.core, self.plan, meter)
        meter.enter("merging")
        merged = self._merge(empty)
        unchanged = accepted - merged.inserted - merged.updated
        return TableReport(
            table,
            "staged",
            accepted=accepted,
            inserted=merged.inserted,
            updated=merged.updated,
            unchanged=unchanged,
        )

    def _merge(self, empty: bool) -> Merged:
        rebuild = drop_indexes(self.core, self.plan.target, unique=False) if empty else []
        merged = merge(self.core, self.plan)
        for build in rebuild:
            self.core.execute(build)
        if merged.inserted or merged.updated:
            self._analyze()
        return merged

    def _analyze(self) -> None:
        self.core.execute(sql.SQL("ANALYZE {}").format(self.plan.target.identifier))

    def _core_hash(self) -> TableHash:
        return content_hash(self.core, self.plan.table)

    def _timed(self, hashing: Callable[[], T]) -> T:
        started = time.monotonic()
        result = hashing()
        self.hashing_seconds += time.monotonic() - started
        return result


def _require_every_row(report: TableReport) -> None:
    if report.source_rows != report.accepted + report.rejected_rows:
        raise VerificationError(
            f"{report.table}: of {report.source_rows} legacy rows {report.accepted} were accepted "
            f"and {report.rejected_rows} rejected, which is not all; nothing of it was copied"
        )
