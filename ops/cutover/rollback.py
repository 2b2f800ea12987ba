"""Back to the old database, at a price that is stated first."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ops.backend.pair_fence import pair_fence
from ops.books.cutovers import last_cutover
from ops.carrying.carry_back import Accept, CarryingSessions
from ops.carrying.changes import Changes
from ops.carrying.export import export_changes, refuse_taken
from ops.carrying.rollback_price import RollbackPrice
from ops.connection import explained, writing_session
from ops.cutover.blind import refuse_unsettled
from ops.cutover.bounded_hold import bounded_hold
from ops.cutover.forecast import CARRIED, fits, forecast, refuse_long_hold
from ops.cutover.installation import Installation
from ops.cutover.plan import plan_id, refuse_moved
from ops.cutover.questions import ask_public, ask_staged
from ops.cutover.recovery import recover, settled_lock, undo_rollback, undone_on_failure
from ops.cutover.steps import CutoverReport, Steps, carry_out
from ops.cutover.switch import Hold
from ops.database_identity import identity
from ops.errors import DatabaseUnavailableError, RefusedError
from ops.evidence.cutovers import refuse_removed, swap_in_force
from ops.legacy_access.account import begin_window, recorded_access
from ops.write_lock.lock import LOCKING, begin_release


@dataclass(frozen=True)
class Acceptance:
    """What the operator gives up.

    Attributes:
        rows: at most this many rows that users wrote since the swap and that the old database
            cannot hold.
        export: a file that they are written to first; then any number is accepted.
    """

    rows: int = 0
    export: Path | None = None

    def refuse_taken_file(self, installation: Installation, since: datetime) -> None:
        """Find out before anything is done whether the file could be written.

        Args:
            since: when the swap left the rows.

        Raises:
            RefusedError: there is one of that name, of something else than this swap.
            BadInputError: there is no such folder.
        """
        if self.export is not None:
            source = {"core": identity(installation.core), "ai": identity(installation.ai)}
            refuse_taken(self.export, source, since)

    def check(self, price: RollbackPrice) -> None:
        """Let nothing be lost that was not given up.

        Raises:
            RefusedError: more would be lost.
        """
        if price.rows_by_triggers > self.rows:
            raise RefusedError(
                "not rolled back: triggers of the old database would change or remove "
                f"{price.rows_by_triggers} rows beside those that are carried back "
                f"({', '.join(price.by_triggers)}), and no file keeps them; disable those triggers "
                f"as long as the rollback takes, or accept it by --accept-loss {price.total}"
            )
        if self.export is None and price.total > self.rows:
            raise RefusedError(
                f"not rolled back: of what users have written since the swap the old database "
                f"cannot hold {price.total} rows ({price.summary()}; {price.example}); keep them "
                f"by --export FILE, or give them up by --accept-loss {price.total}"
            )


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback would do.

    Attributes:
        price: what of users' rows is carried back, and what the old database cannot hold.
        legacy: identity of the old database.
        forecast: steps while users wait, with the seconds that each took just now.
    """

    price: RollbackPrice
    legacy: Mapping[str, Any]
    plan_id: str
    forecast: Mapping[str, float]


def plan_rollback(installation: Installation) -> RollbackPlan:
    """Look at what a rollback would cost; nothing is changed.

    Raises:
        RefusedError: no swap is in force, or the old database is gone or another one.
    """
    refuse_removed(installation.core)
    refuse_unsettled(installation)
    swapped = swap_in_force(installation.core)
    if swapped is None:
        raise RefusedError("no swap is in force, so there is nothing to roll back")
    legacy = installation.known_legacy(swapped.legacy)
    with (
        recorded_access(installation.core, installation.legacy, "rollback plan"),
        installation.carrying() as carrying,
    ):
        price, seconds = carrying.tried()
    planned = plan_id("rollback", installation, legacy, price.by_table)
    return RollbackPlan(price, legacy, planned, {CARRIED: seconds})


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
    recovered = recover(installation)
    if swap_in_force(installation.core) is None and installation.switch.active() == "old":
        return _already(installation, recovered)
    planned = plan_rollback(installation)
    refuse_moved(plan, planned.plan_id)
    accepted.check(planned.price)
    accepted.refuse_taken_file(installation, planned.price.since)
    installation.switch.serve_active()
    carried: list[int] = []
    report = carry_out(
        installation,
        "rollback",
        planned.plan_id,
        planned.legacy,
        accepted.rows,
        lambda steps: RollbackSteps(installation, steps, accepted, carried).carry_out(),
    )
    return replace(report, export=accepted.export, recovered=recovered, carried=sum(carried))


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
    """One rollback.

    Attributes:
        carried: how many rows each carrying wrote.
    """

    installation: Installation
    steps: Steps
    accepted: Acceptance
    carried: list[int]

    def carry_out(self) -> tuple[float, int]:
        """Do them all; for how many seconds requests were held, and the rows that were lost.

        Raises:
            RefusedError: an answer is wrong, or users wrote more meanwhile; everything is put back.
        """
        try:
            with self.installation.carrying() as carrying:
                # While users work, so that they wait for what is written meanwhile alone.
                self.steps.run("carry back", lambda: self._carry(carrying))
                self._refuse_long_hold(carrying)
                self._stage()
                # Other applications' tables: whoever waits for the pair need not wait for them.
                self.steps.run("unlock what no move reads", self.installation.unlock_others)
                held, lost = self._change(carrying)
        except BaseException:
            if self.installation.switch.active() == "new":
                self.installation.switch.retire("old")
                # What it read of legacy is nobody else's; one that is away is asked by the next.
                with suppress(DatabaseUnavailableError):
                    if settled_lock(self.installation.legacy).state != "locked":
                        self.installation.lock_legacy()
                    begin_window(self.installation.core, self.installation.legacy)
            raise
        with undone_on_failure(self.installation, undo_rollback):
            self.steps.run("ask the public address", lambda: ask_public(self.installation, "old"))
        self.installation.switch.retire("new")
        return held, lost

    def _refuse_long_hold(self, carrying: CarryingSessions) -> None:
        """The first carrying may have brought what a week had left; a second one brings what users
        wrote meanwhile, as the last one will."""
        most = self.installation.max_hold_seconds
        if not fits(forecast(self.steps.seconds), most):
            self.steps.run("carry again", lambda: self._carry(carrying))
            refuse_long_hold("rollback", forecast(self.steps.seconds), most)

    def _stage(self) -> None:
        self.installation.refuse_strangers()
        address = self.steps.run(
            "stage the old backend", lambda: self.installation.switch.stage("old")
        )
        self.steps.run("ask it", lambda: ask_staged(self.installation, address, "old"))

    def _change(self, carrying: CarryingSessions) -> tuple[float, int]:
        """What is needed while requests wait is connected before."""
        one, run, lost = self.installation, self.steps.run, 0
        with (
            writing_session(one.legacy, LOCKING) as legacy,
            pair_fence(one.core, one.ai) as fence,
            bounded_hold(
                one,
                self.steps,
                "old",
                self._restore,
                *carrying.sessions,
                legacy,
                *fence.sessions,
            ) as held,
            fence.taken_down_on_failure(),
        ):
            run("fence the new pair", lambda: fence.put_up(one.max_hold_seconds))
            lost = run(CARRIED, lambda: self._carry(carrying, self._accept))
            with explained(one.legacy), legacy:
                # Who uses a table is in the way of this while nothing has changed. It is seen by
                # others after the pair, since backends that do not hear of that go by the lock: a
                # kill in between leaves the lock to the next run. The fence, too, is an open
                # transaction until the pair has changed, as a swap's lock is until just before.
                run("unlock legacy", lambda: begin_release(legacy, one.max_hold_seconds))
                run("flip", lambda: held.flip("old"))
                run("commit the fence", fence.commit)
                run("open legacy", legacy.commit)
            return run("release", held.release), lost
        return one.max_hold_seconds, lost

    def _restore(self, held: Hold) -> None:
        """Undo the flip, lock again and lift the fence. See `SwapSteps._restore`."""
        if self.installation.switch.active() == "old":
            held.flip("new")
        self.installation.lift_fence()
        # What no move reads is locked again when nobody waits.
        if not settled_lock(self.installation.legacy).any_locked:
            self.installation.lock_legacy()

    def _carry(self, carrying: CarryingSessions, accept: Accept | None = None) -> int:
        price = carrying.carry_back(accept, guard=self.installation.guard)
        self.carried.append(price.carried_rows)
        return price.total

    def _accept(self, changes: Changes, price: RollbackPrice) -> None:
        """What is lost now that nobody writes any more."""
        self.accepted.check(price)
        if self.accepted.export is not None:
            export_changes(changes, self.accepted.export)
