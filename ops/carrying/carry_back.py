"""What users wrote to the new pair, carried back into the old database, so that a rollback is free.

Carried are changes since the baseline, never differences to the old database: what the copy left
out, rejected or read otherwise there is not touched. The lock lets one transaction through for it.
What the old database cannot hold is the price.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.books.copies import TableState
from ops.carrying.baseline import remember_changes
from ops.carrying.changes import (
    CHANGES,
    COLUMNS,
    Changes,
    bring_to_ai,
    changed_rows,
    changes_within,
    pair_sessions,
    refuse_renewed,
)
from ops.carrying.rollback_price import RollbackPrice, counted, recomputable
from ops.carrying.staging import classify, make_staging, stage_rows
from ops.carrying.target import read_targets
from ops.carrying.trigger_effects import TriggerEffects
from ops.carrying.writing import DONE, NOT_TAKEN, write_staged
from ops.connection import explained, writing_session
from ops.copy.report import Guard, no_guard
from ops.copy.stream import csv_of, rows_of, stream
from ops.legacy_schema import enter_legacy
from ops.sql_files import statement
from ops.user_tables import USER_TABLES
from ops.write_lock.lock import CARRYING, end_sessions, lock_epoch
from ops.write_lock.passing import let_through

# Called before anything is kept, with the changes that the old database did not take.
Accept = Callable[[Changes, RollbackPrice], None]


@dataclass(frozen=True)
class CarryingSessions:
    """What a carrying works with."""

    core: psycopg.Connection
    ai: psycopg.Connection
    legacy: psycopg.Connection
    legacy_url: URL

    @property
    def sessions(self) -> tuple[psycopg.Connection, psycopg.Connection, psycopg.Connection]:
        """All of them, Core's first."""
        return self.core, self.ai, self.legacy

    def tried(self) -> tuple[RollbackPrice, float]:
        """What a carrying would do now, and the seconds of another one right after it; nothing is
        kept."""
        with explained(self.legacy_url):
            epoch = lock_epoch(self.legacy)
            price, seen = self._carried(epoch, keep=False)
            begun = time.monotonic()
            self._carried(epoch, keep=False, since=seen)
            seconds = time.monotonic() - begun
        with self.core.transaction():
            written = recomputable(self.core, price.since)
        return replace(price, recomputable=written, as_of=self._as_of()), seconds

    def _as_of(self) -> str | None:
        """The day of the old database's newest snapshot, if it has any."""
        with suppress(psycopg.Error), self.legacy.transaction(force_rollback=True):
            newest = "SELECT max(snapshot_date)::text FROM portfolio_snapshots"
            row = self.legacy.execute(newest).fetchone()
            return str(row[0]) if row and row[0] else None
        return None

    def carry_back(self, accept: Accept | None = None, guard: Guard = no_guard) -> RollbackPrice:
        """Carry what users wrote since the swap, or the last carrying, and tell its price.

        A run that is killed leaves what it carried in a journal beside the lock, of which the next
        takes note first. Idempotent.

        Args:
            accept: raises where the price is too high; then nothing was carried. Without it
                nothing is carried either where triggers would change other rows.
            guard: called with Core's connection before what was carried counts there.

        Raises:
            RefusedError: no swap is in force, or the lock is another's.
        """
        with explained(self.legacy_url):
            # Before the snapshot: whoever took the lock off since, and made another, is noticed.
            epoch = lock_epoch(self.legacy)
            self._take_note(guard)
            price, seen = self._carried(epoch, accept)
            refused = {table.table for table in price.tables}
            self._take_note(guard, {k: v for k, v in seen.items() if k not in refused})
        return price

    def _carried(
        self,
        epoch: datetime | None,
        accept: Accept | None = None,
        *,
        keep: bool = True,
        since: Mapping[str, TableState] | None = None,
    ) -> tuple[RollbackPrice, Mapping[str, TableState]]:
        """Carry once; what came of it, and how each table was seen.

        Args:
            keep: whether the old database keeps it; else this was a try.
            since: how each was seen before; by default when the baseline was recorded.
        """
        with (
            changes_within(self.core, self.ai, since) as changes,
            self.legacy.transaction(force_rollback=not keep),
            let_through(self.legacy, epoch),
        ):
            refuse_renewed(changes)
            price, seen = carry_changes(changes, self.legacy, self.legacy_url, accept), changes.seen
            if keep and accept is None and price.by_triggers:
                price, seen = replace(price, carried=()), {}
                raise psycopg.Rollback
        return price, seen

    def _take_note(self, guard: Guard, seen: Mapping[str, TableState] | None = None) -> None:
        """Core knows of each row that it was carried, and of each table how it was seen then."""
        found = self.legacy.execute("SELECT to_regclass('sigmasight_cutover.carried')").fetchone()
        self.legacy.commit()
        written = found != (None,)
        with self.core.transaction():
            if written:
                self._note_journal(seen or {})
            guard(self.core)
        if written:
            self.legacy.execute("DELETE FROM sigmasight_cutover.carried")
            self.legacy.commit()

    def _note_journal(self, seen: Mapping[str, TableState]) -> None:
        self.core.execute(statement("carrying/changes"))
        query = sql.SQL("SELECT table_name, key, digest FROM sigmasight_cutover.carried")
        columns = ("table_name", "key", "after")
        if stream(rows_of(self.legacy, query), self.core, CHANGES, columns):
            remember_changes(self.core)
            self.core.execute(statement("carrying/carried_noted"))
        _see_now(self.core, seen)


@contextmanager
def carrying_sessions(core: URL, ai: URL, legacy: URL) -> Iterator[CarryingSessions]:
    """Open them; the caller holds the phases' lock. Those of a run that lost it are ended, else
    what it was stopped in the middle of would be waited for. So is that of the old database by
    whoever takes the lock off."""
    with (
        pair_sessions(core, ai, CARRYING) as (core_session, ai_session),
        explained(legacy),
        writing_session(legacy, CARRYING) as legacy_session,
    ):
        sessions = CarryingSessions(core_session, ai_session, legacy_session, legacy)
        for session in sessions.sessions:
            end_sessions(session, CARRYING, spared=sessions.sessions)
        yield sessions


def carry_changes(
    changes: Changes, legacy: psycopg.Connection, url: URL, accept: Accept | None
) -> RollbackPrice:
    """Write them into the old database, in its open transaction, which may write there; of the
    changes those that it did not take remain for whoever accepts them."""
    schema = enter_legacy(legacy, url, [table.name for table in USER_TABLES]).name
    changed = {price.table for price in counted(changes.core)}
    owned = [table for table in USER_TABLES if table.name in changed]
    targets = read_targets(legacy, owned, schema, changes.since)
    bring_to_ai(changes)
    make_staging(legacy, targets)
    # Being locked, it would not take now what it refused in an earlier carrying of this session for
    # what the row itself is, and users need not wait for that. Other rows may have changed.
    legacy.execute("CREATE TEMPORARY TABLE IF NOT EXISTS carrying_refused (LIKE cutover_changes)")
    for target in targets:
        with csv_of(changes.session(target.table), changed_rows(target.table)) as rows:
            stage_rows(target, rows)
        classify(target)
    legacy.execute(_REFUSE_AGAIN)
    effects = TriggerEffects(legacy, schema, targets)
    write_staged(legacy, targets)
    carried, refused = counted(legacy, DONE), counted(legacy, NOT_TAKEN)
    if carried:
        legacy.execute(statement("carrying/carried_table"))
        legacy.execute(_WRITE_JOURNAL, [DONE])
    legacy.execute(_REMEMBER_REFUSED)
    by_triggers = effects.found(changes.core)
    price = RollbackPrice(changes.since, refused, carried=carried, by_triggers=by_triggers)
    if accept is not None:
        _keep_refused(changes, legacy)
        accept(changes, price)
    return price


_REFUSE_AGAIN = """
UPDATE cutover_changes AS c SET state = 'remembered', reason = r.reason FROM carrying_refused AS r
WHERE c.state = 'pending' AND r.table_name = c.table_name AND r.key = c.key
    AND r.after IS NOT DISTINCT FROM c.after
"""
_REMEMBER_REFUSED = """
INSERT INTO carrying_refused
SELECT * FROM cutover_changes WHERE state = 'refused' AND after IS NOT NULL
"""
_WRITE_JOURNAL = """
INSERT INTO sigmasight_cutover.carried (table_name, key, digest)
SELECT table_name, key, after FROM cutover_changes WHERE state = ANY(%s)
ON CONFLICT (table_name, key) DO UPDATE SET digest = excluded.digest
"""


def _keep_refused(changes: Changes, legacy: psycopg.Connection) -> None:
    """Of the changes those remain that the old database did not take."""
    refused = sql.SQL(
        "SELECT table_name, key, before, after FROM cutover_changes WHERE state = ANY({})"
    ).format(sql.Literal(NOT_TAKEN))
    changes.core.execute("DELETE FROM cutover_changes")
    stream(rows_of(legacy, refused), changes.core, CHANGES, COLUMNS)
    bring_to_ai(changes)


def _see_now(core: psycopg.Connection, seen: Mapping[str, TableState]) -> None:
    """Remember how tables are seen now that their changes were carried."""
    documents = Jsonb({name: one.document() for name, one in seen.items()})
    core.execute("UPDATE ops.cutover_baseline_moment SET seen = seen || %s", [documents])
