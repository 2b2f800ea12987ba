"""Phase 9: the backend changes from the old database to Core and AI, and no request is lost."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from ops.books.cutovers import Cutover
from ops.carrying.baseline import bring_baseline, record_baseline
from ops.carrying.changes import pair_sessions
from ops.carrying.swap_price import OWNED_GROUPS, Price, price_now, swap_price
from ops.connection import end_in_time, explained, writing_session
from ops.copy.groups import in_order, tables_of
from ops.copy.parity import prove_copied, proven_parity
from ops.copy.sessions import Connections, Sessions, copy_connections, copy_sessions, sessions_of
from ops.copy.side_by_side import side_by_side
from ops.copy.snapshot import copy_delta, copy_groups
from ops.copy.source import copied_groups
from ops.cutover.blind import refuse_unsettled
from ops.cutover.bounded_hold import bounded_hold
from ops.cutover.forecast import COMPARED, LOCKED, fits, forecast, refuse_long_hold
from ops.cutover.installation import Installation
from ops.cutover.lock_rehearsal import rehearse_lock
from ops.cutover.plan import plan_id, refuse_moved
from ops.cutover.preflight import SwapAcceptance, refuse_unmet, swap_conditions
from ops.cutover.questions import ask_public, ask_staged
from ops.cutover.recovery import recover, undo_swap, undone_on_failure
from ops.cutover.steps import CutoverReport, Steps, carry_out
from ops.cutover.switch import Hold
from ops.database_identity import identity
from ops.errors import RefusedError
from ops.evidence.cutovers import swap_in_force
from ops.evidence.finding import Finding
from ops.legacy_access.account import begin_window, recorded_access
from ops.write_lock.lock import LOCKING, lock_writes, prove_from_outside
from ops.write_lock.proof import prove_locked
from ops.write_lock.tables import moved_tables

_NOTHING = SwapAcceptance()
PairSessions = tuple[psycopg.Connection, psycopg.Connection]


@dataclass(frozen=True)
class SwapPlan:
    """What a swap would do.

    Attributes:
        conditions: what must hold, as found.
        price: rows of legacy that the new pair would lack, whatever the swap still copies.
        groups: what the swap copies again before it changes anything.
        legacy: identity of the old database.
        forecast: steps while users wait, with the seconds that each took just now: of its lock, by
            a rehearsal, and of the price.
    """

    conditions: list[Finding]
    price: Price
    groups: tuple[str, ...]
    legacy: Mapping[str, Any]
    plan_id: str
    forecast: Mapping[str, float]


def plan_swap(installation: Installation, unknown: Collection[str] = ()) -> SwapPlan:
    """Look at everything that a swap depends on; nothing is changed.

    Args:
        unknown: see `SwapAcceptance`.

    Raises:
        RefusedError: there is no old database, or Core does not know yet that it was gone back to.
    """
    refuse_unsettled(installation)
    legacy = identity(installation.legacy)
    conditions = swap_conditions(installation)
    with recorded_access(installation.core, installation.legacy, "swap plan"):
        lock = rehearse_lock(installation)
        installation.announce("rehearse the lock", lock.seconds)
        begun = time.monotonic()
        price = swap_price(installation.legacy, installation.core, installation.ai)
        price = price.without(unknown)
        seconds = {LOCKED: lock.seconds, COMPARED: time.monotonic() - begun}
        installation.announce("price", seconds[COMPARED])
    groups = copied_groups(installation.core)
    copied = {spec.table for spec in tables_of(groups)}
    lasting = {table: rows for table, rows in price.by_table.items() if table not in copied}
    return SwapPlan(
        [*conditions, *lock.findings],
        price.lasting(groups),
        groups,
        legacy,
        plan_id("swap", installation, legacy, lasting),
        seconds,
    )


def swap(
    installation: Installation, accepted: SwapAcceptance = _NOTHING, *, plan: str | None = None
) -> CutoverReport:
    """Make Core and AI the active pair. Where they are, nothing is done.

    The caller holds the phases' lock. Whatever fails, everything is put back; a run that is killed
    leaves one of the pairs serving, and the next swap or rollback finishes or undoes it.

    Args:
        plan: an id that a dry run printed.

    Raises:
        RefusedError: a condition does not hold, or rows would be lost.
    """
    recovered = recover(installation)
    last = swap_in_force(installation.core)
    if last is not None:
        _refuse_lost_value(installation)
    installation.switch.serve_active()
    if last is not None:
        return _already(installation, last, recovered)
    planned = plan_swap(installation, accepted.unknown)
    beside = [planned.price.advice()] if planned.price.total > accepted.rows else []
    refuse_unmet(planned.conditions, accepted, beside)
    refuse_moved(plan, planned.plan_id)

    def work(steps: Steps) -> tuple[float, int]:
        seconds = planned.forecast[LOCKED]
        one = SwapSteps(installation, steps, planned.groups, planned.price, accepted.rows, seconds)
        return one.carry_out(), 0

    report = carry_out(installation, "swap", planned.plan_id, planned.legacy, accepted.rows, work)
    return replace(report, recovered=recovered)


def _refuse_lost_value(installation: Installation) -> None:
    """A second swap would set Core back to what the old database was at the first."""
    if installation.switch.active() == "old":
        raise RefusedError(
            "Core records a swap in force, but the active pair is the old one, so that value was "
            "lost; set it again in Core by `UPDATE ops.gate SET pair = 'new'`"
        )


def _already(installation: Installation, last: Cutover, recovered: str | None) -> CutoverReport:
    return CutoverReport(
        "new",
        recovered is not None,
        installation.switch.public_address(),
        last.held_seconds or 0.0,
        last.timings,
        recovered=recovered,
        ended_at=last.ended_at,
    )


@dataclass(frozen=True)
class SwapSteps:
    """One swap.

    Attributes:
        groups: what is copied again while nobody writes.
        counted: the price as planned, of which what stays behind is not counted again.
        accept_loss: rows of legacy that the new pair may lack.
        lock_seconds: how long its lock takes, by a rehearsal.
    """

    installation: Installation
    steps: Steps
    groups: tuple[str, ...]
    counted: Price
    accept_loss: int
    lock_seconds: float

    def carry_out(self) -> float:
        """Do them all; returns for how many seconds requests were held.

        Raises:
            RefusedError: an answer, the parity or the price is wrong; everything is put back.
        """
        self.steps.run("first delta", self._delta)
        self.steps.run("first parity", self._prove)
        self._refuse_long_hold()
        try:
            self._stage()
            self.steps.run("first baseline", self._record_baseline)
            held = self._change()
        except BaseException:
            if self.installation.switch.active() == "old":
                self.installation.switch.retire("new")
            raise
        with undone_on_failure(self.installation, undo_swap):
            # As it was committed, before it is made whole, which would mend it unseen.
            legacy = self.installation.legacy
            self.steps.run("prove the lock", lambda: prove_from_outside(legacy, moved_tables))
            # Nobody waits for what the move does not read: other applications' tables.
            self.steps.run("lock the rest", self.installation.lock_legacy)
            self.steps.run("ask the public address", lambda: ask_public(self.installation, "new"))
        self.steps.run("watch legacy", self._watch)
        return held

    @property
    def _groups(self) -> tuple[str, ...]:
        """What is copied and what is priced."""
        return in_order({*self.groups, *OWNED_GROUPS})

    def _stage(self) -> None:
        address = self.steps.run("stage the new backend", self._stage_open)
        self.steps.run("ask it", lambda: ask_staged(self.installation, address, "new"))

    def _stage_open(self) -> str:
        """The new backend writes as soon as it is there: documents, and a chat when asked."""
        self.installation.lift_fence()
        return self.installation.switch.stage("new")

    def _change(self) -> float:
        """What is needed while requests wait is connected before."""
        one = self.installation
        with (
            copy_connections(one.legacy, one.core, one.ai, self._groups) as opened,
            pair_sessions(one.core, one.ai, "baseline") as pair,
            writing_session(one.legacy, LOCKING) as lock,
            bounded_hold(
                one, self.steps, "new", self._restore, *opened.sessions, *pair, lock
            ) as held,
        ):
            self._lock_and_flip(held, opened, pair, lock)
            return self.steps.run("release", held.release)
        return one.max_hold_seconds

    def _lock_and_flip(
        self, held: Hold, opened: Connections, pair: PairSessions, lock: psycopg.Connection
    ) -> None:
        """The lock is one open transaction until everything is proved: a kill before that lets the
        server roll it back, so that nothing stays locked. After a kill between commit and flip the
        backends take the lock off, once they see that this hold was given up."""
        one, run = self.installation, self.steps.run
        with explained(one.legacy), lock:
            run("lock legacy", lambda: _lock(lock, one.max_hold_seconds, held.epoch))
            snapshot = sessions_of(opened, self._groups, most_seconds=one.max_hold_seconds)
            with snapshot as sessions:
                run("final delta", lambda: copy_groups(sessions, self.groups, one.guard))
                run(COMPARED, lambda: self._compare_and_remember(sessions, pair))
            run("commit the lock", lock.commit)
            run("flip", lambda: held.flip("new"))

    def _restore(self, held: Hold) -> None:
        """Undo the flip and the lock. Where the flip cannot be undone, because what holds the
        requests is gone, the new pair serves already, and the lock stays."""
        if self.installation.switch.active() == "new":
            held.flip("old")
        self.installation.unlock_legacy()

    def _delta(self) -> None:
        one = self.installation
        copy_delta(one.legacy, one.core, one.ai, self.groups, guard=one.guard)

    def _refuse_long_hold(self) -> None:
        """The first delta may have brought what a week had left; a second one brings what users
        wrote meanwhile, as the last one will. And whatever took long may do so no more."""
        one, run, lock = self.installation, self.steps.run, self.lock_seconds
        if fits(forecast(self.steps.seconds, **{LOCKED: lock}), one.max_hold_seconds):
            return
        with copy_sessions(one.legacy, one.core, one.ai, self._groups) as sessions:
            run("delta again", lambda: copy_groups(sessions, self.groups, one.guard))
            run("parity again", lambda: self._prove_in(sessions))
        lock = min(lock, rehearse_lock(one).seconds)
        predicted = forecast(self.steps.seconds, **{LOCKED: lock})
        refuse_long_hold("swap", predicted, one.max_hold_seconds)

    def _prove(self) -> None:
        one = self.installation
        with copy_sessions(one.legacy, one.core, one.ai, self._groups) as sessions:
            self._prove_in(sessions)

    def _prove_in(self, sessions: Sessions) -> None:
        """What is found equal now need not be compared again while requests wait. Users go on
        writing, so only what no further delta will bring is a reason to refuse already."""
        prove_copied(sessions, self.groups)
        price = price_now(sessions, self.counted).lasting(self.groups)
        if price.total > self.accept_loss:
            raise RefusedError(f"not swapped: {price.advice()}")

    def _compare_and_remember(self, sessions: Sessions, pair: PairSessions) -> None:
        side_by_side(lambda: self._compare(sessions), lambda: self._bring_baseline(*pair))

    def _compare(self, sessions: Sessions) -> None:
        found = proven_parity(sessions, tables_of(self.groups))
        apart = [one for one in found if not one.holds]
        if apart:
            raise RefusedError(
                f"not swapped: {apart[0].table} of the new pair lacks {apart[0].missing} rows of "
                f"legacy and has {apart[0].different} otherwise; run `sigmasight copy`"
            )
        price = price_now(sessions, self.counted, found)
        if price.total > self.accept_loss:
            raise RefusedError(f"not swapped: {price.advice()}")

    def _record_baseline(self) -> None:
        record_baseline(self.installation.core, self.installation.ai, guard=self.installation.guard)

    def _bring_baseline(self, core: psycopg.Connection, ai: psycopg.Connection) -> None:
        with explained(self.installation.core), explained(self.installation.ai):
            bring_baseline(core, ai, self.installation.guard)

    def _watch(self) -> None:
        self.installation.switch.retire("old")
        begin_window(self.installation.core, self.installation.legacy)


def _lock(lock: psycopg.Connection, most_seconds: float, hold: int) -> None:
    end_in_time(lock, most_seconds)
    locked = lock_writes(lock, choose=moved_tables, hold=hold).chosen
    prove_locked(lock, locked, truncate=False)  # which the proof from outside tries
