"""Back to the old database, at a price that is stated first."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from ops.books.cutovers import last_cutover
from ops.books.session import open_books
from ops.books.tombstones import cleaned_up
from ops.carrying.changes import changes_within, pair_sessions
from ops.carrying.export import export_losses
from ops.carrying.losses_file import refuse_unusable
from ops.carrying.rollback_price import RollbackPrice, price_of, rollback_price
from ops.cutover.bounded_hold import bounded_hold
from ops.cutover.installation import Installation
from ops.cutover.plan import plan_id, refuse_moved
from ops.cutover.questions import ask_public, ask_staged
from ops.cutover.recovery import recover, undo_rollback
from ops.cutover.steps import CutoverReport, Steps, carry_out
from ops.cutover.switch import Hold
from ops.database_identity import identity
from ops.errors import DatabaseUnavailableError, RefusedError
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.account import begin_window
from ops.write_lock.lock import lock_and_prove, lock_state, release_any_lock_in, writing_session


@dataclass(frozen=True)
class Acceptance:
    """What the operator gives up.

    Attributes:
        rows: at most this many rows that users wrote since the swap.
        export: a file that they are written to first; then any number is accepted.
    """

    rows: int = 0
    export: Path | None = None

    def refuse_taken_file(self) -> None:
        """Find out before anything is done whether the file could be written.

        Raises:
            BadInputError: there is one of that name, or no such folder.
        """
        if self.export is not None:
            refuse_unusable(self.export)

    def check(self, price: RollbackPrice) -> None:
        """Let nothing be lost that was not given up.

        Raises:
            RefusedError: more would be lost.
        """
        if self.export is None and price.total > self.rows:
            raise RefusedError(
                f"not rolled back: users have written {price.total} rows since the swap "
                f"({price.summary()}), which the old database lacks; keep them by --export FILE, "
                f"or give them up by --accept-loss {price.total}"
            )


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback would do.

    Attributes:
        price: what users wrote to the new pair since the swap.
        legacy: identity of the old database.
    """

    price: RollbackPrice
    legacy: Mapping[str, Any]
    plan_id: str


def plan_rollback(installation: Installation) -> RollbackPlan:
    """Look at what a rollback would cost; nothing is changed.

    Raises:
        RefusedError: no swap is in force, or the old database is gone or another one.
    """
    _refuse_removed(installation)
    swapped = swap_in_force(installation.core)
    if swapped is None:
        raise RefusedError("no swap is in force, so there is nothing to roll back")
    legacy = identity(installation.legacy)
    if legacy != swapped.legacy:
        raise RefusedError(
            "the old database is not the one that the swap left; correct LEGACY_DATABASE_URL"
        )
    price = rollback_price(installation.core, installation.ai)
    return RollbackPlan(price, legacy, plan_id("rollback", installation, legacy, price.by_table))


def _refuse_removed(installation: Installation) -> None:
    tombstone = cleaned_up(installation.core)
    if tombstone is not None:
        raise RefusedError(
            f"the old database was removed by a cleanup on {tombstone.begun_at:%d %B %Y}; there "
            "is nothing to roll back to, restore a backup instead"
        )


def rollback(
    installation: Installation, accepted: Acceptance | None = None, *, plan: str | None = None
) -> CutoverReport:
    """Make the old database active again. Where it is, nothing is done.

    The caller holds the phases' lock. Failures and kills are dealt with as by `swap`.

    Args:
        accepted: what may be lost; by default nothing.
        plan: an id that a dry run printed.

    Raises:
        RefusedError: it is not possible, or rows would be lost.
    """
    accepted = accepted or Acceptance()
    accepted.refuse_taken_file()
    recovered = recover(installation)
    if swap_in_force(installation.core) is None and installation.switch.active() == "old":
        return _already(installation, recovered)
    planned = plan_rollback(installation)
    refuse_moved(plan, planned.plan_id)
    accepted.check(planned.price)
    installation.switch.serve_active()
    report = carry_out(
        installation,
        "rollback",
        planned.plan_id,
        planned.legacy,
        accepted.rows,
        lambda steps: RollbackSteps(installation, steps, accepted).carry_out(),
    )
    return replace(report, export=accepted.export if report.lost else None, recovered=recovered)


def _already(installation: Installation, recovered: str | None) -> CutoverReport:
    installation.switch.serve_active()
    last = last_cutover(installation.core, "done")
    return CutoverReport(
        "old",
        recovered is not None,
        installation.switch.public_address(),
        recovered=recovered,
        ended_at=last.ended_at if last else None,
    )


@dataclass(frozen=True)
class RollbackSteps:
    """One rollback."""

    installation: Installation
    steps: Steps
    accepted: Acceptance

    def carry_out(self) -> tuple[float, int]:
        """Do them all; for how many seconds requests were held, and the rows that were lost.

        Raises:
            RefusedError: an answer is wrong, or users wrote more meanwhile; everything is put back.
        """
        try:
            self._stage()
            held, lost = self._change()
        except BaseException:
            if self.installation.switch.active() == "new":
                self.installation.switch.retire("old")
                # What it read of legacy is nobody else's; one that is away is asked by the next.
                with suppress(DatabaseUnavailableError):
                    begin_window(self.installation.core, self.installation.legacy)
            raise
        try:
            self.steps.run("ask the public address", lambda: ask_public(self.installation, "old"))
        except BaseException:
            undo_rollback(self.installation)
            raise
        self.installation.switch.retire("new")
        return held, lost

    def _stage(self) -> None:
        address = self.steps.run(
            "stage the old backend", lambda: self.installation.switch.stage("old")
        )
        self.steps.run("ask it", lambda: ask_staged(self.installation, address, "old"))

    def _change(self) -> tuple[float, int]:
        """What is needed while requests wait is connected before."""
        one, run, lost = self.installation, self.steps.run, 0
        with (
            pair_sessions(one.core, one.ai, "rollback price") as (core, ai),
            writing_session(one.legacy, "write lock") as legacy,
            bounded_hold(one, self.steps, "old", self._restore, core, ai, legacy) as held,
        ):
            lost = run("final price", lambda: self._price(core, ai))
            # First the pair, then the lock, by which backends go that do not hear of it: a kill in
            # between leaves the lock to the next run.
            run("flip", lambda: held.flip("old"))
            run("unlock legacy", lambda: release_any_lock_in(legacy, one.legacy))
            return run("release", held.release), lost
        return one.max_hold_seconds, lost

    def _restore(self, held: Hold) -> None:
        """Undo the flip and lock again. See `SwapSteps._restore`."""
        if self.installation.switch.active() == "old":
            held.flip("new")
        if lock_state(self.installation.legacy).state != "locked":
            lock_and_prove(self.installation.legacy)

    def _price(self, core: psycopg.Connection, ai: psycopg.Connection) -> int:
        """What is lost now that nobody writes any more."""
        with changes_within(core, ai) as changes:
            price = price_of(changes)
        self.accepted.check(price)
        if price.total and self.accepted.export is not None:
            export_losses(self.installation.core, self.installation.ai, self.accepted.export)
        with open_books(self.installation.core, core) as session:
            self.installation.guard(session)
        return price.total
