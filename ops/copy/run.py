"""Copying a table from legacy to the new pair."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from psycopg import IntegrityError, sql

from ops.books.copies import Fingerprint, TableState, look_again, record_fingerprint
from ops.books.copy_source import record_source
from ops.content_hash import TableHash, rows_hash
from ops.copy.core import Destination
from ops.copy.deletion import delete_rows
from ops.copy.direct import is_empty, load_directly, locked_empty, prove
from ops.copy.indexes import drop_indexes
from ops.copy.kept_ids import make_way, may_pass
from ops.copy.keys import forget_keys, gone_keys, has_copied_keys, none_is_gone, record_keys
from ops.copy.merge import Merged, merge
from ops.copy.parity import both_hashes
from ops.copy.plan import EVERY, TablePlan
from ops.copy.rejects import forget_rejects, rejects_by_kind
from ops.copy.report import (
    Guard,
    Meter,
    OnProgress,
    TableReport,
)
from ops.copy.sessions import Sessions
from ops.copy.staging import KEPT, RANKED, roundings, stage
from ops.copy.table_state import StateChange, look, own_transaction
from ops.errors import VerificationError
from ops.sql_files import statement

T = TypeVar("T")

# A delta of fewer rows changes no plan, and requests may be waiting for it.
_WORTH_ANALYSIS = 1_000


@dataclass
class TableCopy:
    """One table's copy; `last` is what the copy before recorded."""

    sessions: Sessions
    target: Destination
    plan: TablePlan
    last: Fingerprint | None
    guard: Guard
    on_progress: OnProgress
    hashing_seconds: float = 0.0
    deleted: int = 0
    freed: int = 0

    @cached_property
    def _source(self) -> StateChange | None:
        return self.sessions.look_at_source(self.plan, self.last)

    def delete(self) -> None:
        """Delete what was copied once and is gone from legacy."""
        books, table = self.target.books, self.plan.table
        if not self.plan.spec.remembered or (self._source and self._source.only_inserted):
            return
        if not has_copied_keys(books, table) or self._none_is_gone():
            return
        target = None
        with self.target.transaction():
            for keys in gone_keys(self.sessions.legacy, books, self.plan):
                target = target or self.sessions.look_at_target(self.plan, self.last)
                self.deleted += delete_rows(self.target.session, table, keys)
                forget_keys(books, table, keys)
            if target is not None and target.unchanged:
                self._remember_deletion()
            self.guard(books)

    def _none_is_gone(self) -> bool:
        if self.last is None or self.last.rejected_rows:
            return False
        return none_is_gone(self.sessions.legacy, self.target.books, self.plan, self._source)

    def _remember_deletion(self) -> None:
        """Nobody but us has written to the target, so that a delta still is all it needs."""
        last = self.last
        if last is None or last.core_seen is None:
            return
        left = replace(last.core_seen, rows=last.core_seen.rows - self.deleted)
        look_again(self.target.books, self.plan.table, last.source_seen, left)
        self.last = replace(last, core_seen=left)

    def run(self, *, unwritten: bool) -> TableReport:
        """Bring the table to what legacy holds.

        Args:
            unwritten: whether there is nothing to do, because nobody wrote to either side since.
        """
        started = time.monotonic()
        report = self._same(self.last) if unwritten and self.last else self._copied()
        total = time.monotonic() - started
        return replace(
            report,
            deleted=self.deleted,
            ignored_columns=self.plan.ignored,
            filled_columns=(*(column.name for column in self.plan.filled), *self.plan.absent),
            seconds=total - self.hashing_seconds,
            hashing_seconds=self.hashing_seconds,
        )

    def _copied(self) -> TableReport:
        last, source = self.last, self._source
        target = self.sessions.look_at_target(self.plan, last)
        return self._delta(last, source, target) or self._whole(last, source, target)

    def _delta(
        self, last: Fingerprint | None, source: StateChange | None, target: StateChange | None
    ) -> TableReport | None:
        """Only what was written since, where the rest is known to be as the last copy left it."""
        if last is None or source is None or source.new_rows is None or source.newer is None:
            return None
        if target is None or not target.unchanged or not self.plan.unique or last.rejected_rows:
            return None
        meter = Meter(self.plan.table, source.new_rows, self.on_progress)
        with self.target.transaction():
            forget_rejects(self.target.books, self.plan.table)
            report = self._merged(meter, source.newer, source.new_rows)
            accepted = source.seen.rows - report.rejected_rows
            found = Fingerprint(source.seen.rows, accepted, "", "", source.seen)
            # Counted, not looked at: what others wrote since the look must be seen by the next.
            rows = target.seen.rows + report.inserted - self.freed
            left = replace(target.seen, rows=rows, own=own_transaction(self.target.session))
            found = replace(found, core_seen=left, proved_seen=last.proved_seen)
            self._record(found, report)
        meter.enter("done")
        unchanged = accepted - report.inserted - report.updated
        return replace(
            report,
            path="delta",
            source_rows=source.seen.rows,
            accepted=accepted,
            unchanged=unchanged,
        )

    def _whole(
        self, last: Fingerprint | None, source: StateChange | None, target: StateChange | None
    ) -> TableReport:
        seen = None if source is None else source.seen
        if self.plan.straight and is_empty(self.target.session, self.plan):
            with suppress(IntegrityError):  # a row must be told why it does not fit
                return self._direct(seen)
        left = None if last is None else self._timed(lambda: self._as_left(last))
        if last is not None and left is not None:
            self._look_again(seen, target, left)
            return self._same(last)
        return self._loaded(seen)

    def _as_left(self, last: Fingerprint) -> TableHash | None:
        """The target's hash, if both sides are what the last copy saw and left: by the hashes that
        it recorded or, where it recorded none and refused nothing, by those of both sides now."""
        if last.source_hash:
            wanted = last.core_hash if self._source_hash.digest == last.source_hash else None
            left = None if wanted is None else self._core_hash()
            return left if left is not None and left.digest == wanted else None
        if last.rejected_rows or not (self.plan.typed and self.plan.unique):
            return None
        if self.plan.spec.marked and not (self._source and self._source.unchanged):
            return None  # they say nothing of values that no batch may have marked
        there, here = both_hashes(self.sessions, self.plan)
        return here if there == here and here.rows == last.source_rows else None

    def _look_again(
        self, source: TableState | None, target: StateChange | None, left: TableHash
    ) -> None:
        """Remember how the sides are seen today, so that the next copy need not hash them."""
        seen = None if target is None else replace(target.seen, rows=left.rows)
        books = self.target.books
        with books.transaction():
            look_again(books, self.plan.table, source, seen)
            self._record_source()
            self.guard(books)

    def _same(self, last: Fingerprint) -> TableReport:
        return TableReport(
            self.plan.table,
            "unchanged",
            source_rows=last.source_rows,
            accepted=last.accepted_rows,
            rejected=self._rejects() if last.rejected_rows else {},
            unchanged=last.accepted_rows,
        )

    def _rejects(self) -> dict[str, int]:
        return rejects_by_kind(self.target.books, self.plan.table)

    @cached_property
    def _source_hash(self) -> TableHash:
        columns = [sql.Identifier(name) for name in self.plan.names]
        plan = self.plan
        rows = self.sessions.legacy.hash(plan.table, plan.source_rows, columns)
        return TableHash(rows.rows, f"{rows.digest}:{plan.shape}")

    def _direct(self, seen: TableState | None) -> TableReport:
        """Straight into the empty table, and proved by reading what was committed there.

        Raises:
            IntegrityError: legacy's index is corrupt, it does not know our rules, or somebody else
                has written to the table meanwhile.
        """
        rows, _ = self.counted()
        meter = Meter(self.plan.table, rows, self.on_progress)
        with self.target.transaction():
            forget_rejects(self.target.books, self.plan.table)
            report = self._straight(meter, rows)
            found = Fingerprint(rows, report.accepted, "", "", seen, self._left())
            found = self._record(found, report)
        meter.enter("hashing")
        legacy = self.sessions.legacy
        self._timed(lambda: prove(legacy, self.target, self.plan, found, self.guard))
        meter.enter("done")
        return report

    def counted(self) -> tuple[int, int]:
        """How many rows of legacy count and how many do not, by the look at it if there was one."""
        if self._source is not None:
            return self._source.seen.rows, self._source.left_out
        return self.sessions.legacy.counted(self.plan.source, self.plan.which(EVERY))

    def _loaded(self, seen: TableState | None) -> TableReport:
        """All of legacy's rows, staged and merged, in one transaction."""
        source = self._timed(lambda: self._source_hash)
        meter = Meter(self.plan.table, source.rows, self.on_progress)
        with self.target.transaction():
            forget_rejects(self.target.books, self.plan.table)
            empty = locked_empty(self.target.session, self.plan)
            report = self._merged(meter, EVERY, source.rows, empty=empty)
            meter.enter("hashing")
            left = self._timed(self._core_hash)
            hashes = source.digest, left.digest
            found = Fingerprint(source.rows, report.accepted, *hashes, seen, self._left())
            self._record(found, report)
        meter.enter("done")
        return report

    def _left(self) -> TableState | None:
        """How the open transaction sees the target."""
        session, plan = self.target.session, self.plan
        left = look(session, plan.target, plan.which(EVERY), plan.shape, None)
        return None if left is None else replace(left.seen, own=own_transaction(session))

    def _record(self, found: Fingerprint, report: TableReport) -> Fingerprint:
        """The last act of a transaction that copies: remember it. Rows that may pass the next time
        void what was seen of legacy.

        Raises:
            VerificationError: a row of legacy was neither accepted nor rejected.
        """
        _require_every_row(report)
        if any(map(may_pass, report.rejected)):
            found = replace(found, source_hash="", source_seen=None)
        record_fingerprint(self.target.books, self.plan.table, found)
        self._record_source()
        self.guard(self.target.books)
        return found

    def _record_source(self) -> None:
        """With the first table that is copied goes where it came from."""
        if not self.sessions.recorded:
            record_source(self.target.books, self.sessions.source)

    def _straight(self, meter: Meter, rows: int) -> TableReport:
        written = load_directly(self.sessions.legacy, self.target, self.plan, meter, rows)
        self._analyze()
        if self.plan.spec.remembered:
            self._keep_keys(self.plan.target.identifier)
        table, rejected = self.plan.table, self._rejects()
        return TableReport(table, "direct", rows, written, rejected, inserted=written)

    def _merged(
        self, meter: Meter, only: sql.Composable, rows: int, *, empty: bool = False
    ) -> TableReport:
        """Stage `only` some of legacy's rows, which are `rows`, and merge them."""
        table = self.plan.table
        accepted = stage(self.sessions.legacy, self.target, self.plan, meter, only)
        rounded = roundings(self.target.session, self.plan)
        meter.enter("merging")
        merged = self._merge(empty)
        changed = merged.inserted + merged.updated
        if changed and (only is EVERY or changed >= _WORTH_ANALYSIS):
            self._analyze()
        unchanged = accepted - changed
        return TableReport(
            table,
            "staged",
            source_rows=rows,
            accepted=accepted,
            rejected=self._rejects(),
            rounded=rounded,
            inserted=merged.inserted,
            updated=merged.updated,
            unchanged=unchanged,
        )

    def _merge(self, empty: bool) -> Merged:
        session, plan = self.target.session, self.plan
        if plan.spec.keeps_ids:
            self.freed = make_way(self.target, plan, RANKED)
        rebuild = drop_indexes(session, plan.target, unique=False) if empty else []
        merged = merge(session, plan)
        if plan.spec.marked and {"symbol", *plan.spec.marked} <= set(plan.names):
            session.execute(statement("copy/unpriced_positions"))
        for build in rebuild:
            session.execute(build)
        if plan.spec.remembered:
            self._keep_keys(KEPT)
        return merged

    def _keep_keys(self, arrived: sql.Composable) -> None:
        """Remember the rows that `arrived` (a FROM item). What AI commits must be known in
        Core before, else a kill in between would leave rows there of which a later deletion in
        legacy never hears."""
        if self.plan.table == "portfolios" and "equity_balance" in self.plan.names:
            capital = sql.SQL(statement("copy/starting_capital").decode())
            self.target.session.execute(capital.format(arrived=arrived))
        if not self.target.apart:
            record_keys(self.target, self.target.books, self.plan, arrived)
            return
        notes = self.sessions.notes
        with notes.transaction():
            record_keys(self.target, notes, self.plan, arrived)
            self.guard(notes)

    def _analyze(self) -> None:
        self.target.session.execute(sql.SQL("ANALYZE {}").format(self.plan.target.identifier))

    def _core_hash(self) -> TableHash:
        return rows_hash(self.target.session, self.plan.target_rows, self.plan.compared())

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
