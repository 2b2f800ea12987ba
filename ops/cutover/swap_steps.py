"""The steps of a swap from the first delta on. However they end, one pair serves."""

from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from ops.connection import connect, explained
from ops.copy import copy_delta, delta_parity, prove_copied
from ops.cutover.access import begin_window
from ops.cutover.baseline import record_baseline
from ops.cutover.lock_legacy import open_again, prove_from_outside
from ops.cutover.move import Move
from ops.cutover.put_back import put_back
from ops.cutover.questions import ask_public, ask_staged
from ops.cutover.steps import Steps
from ops.cutover.swap_price import swap_price
from ops.cutover.switch import Hold
from ops.cutover.write_lock import lock_writes, prove_locked
from ops.errors import RefusedError


@dataclass(frozen=True)
class SwapSteps:
    """One swap.

    Attributes:
        groups: what is copied again while nobody writes.
        accept_loss: rows of legacy that the new pair may lack.
    """

    move: Move
    steps: Steps
    groups: tuple[str, ...]
    accept_loss: int

    def carry_out(self) -> float:
        """Do them all; returns for how many seconds requests were held.

        Raises:
            RefusedError: an answer, the parity or the price is wrong; everything is put back.
        """
        self.steps.run("first delta", self._delta)
        self.steps.run("first parity", self._prove)
        try:
            self._stage()
            self.steps.run("first baseline", self._record_baseline)
            held = self._change()
        except BaseException:
            if self.move.switch.active() == "old":
                self.move.switch.retire("new")
            raise
        try:
            self.steps.run("ask the public address", lambda: ask_public(self.move, "new"))
        except BaseException:
            put_back(self.move)
            raise
        self.steps.run("watch legacy", self._watch)
        return held

    def _stage(self) -> None:
        address = self.steps.run("stage the new backend", lambda: self.move.switch.stage("new"))
        if address is not None:
            self.steps.run("ask it", lambda: ask_staged(self.move, address, "new"))

    def _change(self) -> float:
        hold = self.move.switch.hold(self.move.stream_seconds)
        with ExitStack() as stack:
            held = self.steps.run("hold requests", lambda: stack.enter_context(hold))
            try:
                self._lock_and_flip(held)
                return self.steps.run("release", held.release)
            except BaseException:
                self._restore(held)
                raise

    def _lock_and_flip(self, held: Hold) -> None:
        """The lock is one open transaction until the pair has changed: a kill before that lets the
        server roll it back, so that nothing stays locked."""
        move, run = self.move, self.steps.run
        with explained(move.legacy), connect(move.legacy, application_name="cutover lock") as lock:
            run("lock legacy", lambda: _lock(lock))
            run("final delta", self._delta)
            run("parity and price", self._compare)
            run("baseline", self._record_baseline)
            run("flip", lambda: held.flip("new"))
            run("commit the lock", lock.commit)
        run("prove the lock", lambda: prove_from_outside(move))

    def _restore(self, held: Hold) -> None:
        """Undo the flip and the lock. Where the flip cannot be undone, because what holds the
        requests is gone, the new pair serves already, and the lock stays."""
        if self.move.switch.active() == "new":
            held.flip("old")
        open_again(self.move)

    def _delta(self) -> None:
        move = self.move
        copy_delta(move.legacy, move.core, move.ai, self.groups, guard=move.guard)

    def _prove(self) -> None:
        """What is found equal now need not be compared again while requests wait. Users go on
        writing, so only what no further delta will bring is a reason to refuse already."""
        move = self.move
        prove_copied(move.legacy, move.core, move.ai, self.groups)
        price = swap_price(move.legacy, move.core, move.ai)
        if price.lasting(self.groups) > self.accept_loss:
            raise RefusedError(f"not swapped: {price.advice()}")

    def _compare(self) -> None:
        move = self.move
        apart = [
            found
            for found in delta_parity(move.legacy, move.core, move.ai, self.groups)
            if not found.holds
        ]
        if apart:
            raise RefusedError(
                f"not swapped: {apart[0].table} of the new pair lacks {apart[0].missing} rows of "
                f"legacy and has {apart[0].different} otherwise; run `sigmasight copy`"
            )
        self._check_price()

    def _check_price(self) -> None:
        price = swap_price(self.move.legacy, self.move.core, self.move.ai)
        if price.total > self.accept_loss:
            raise RefusedError(f"not swapped: {price.advice()}")

    def _record_baseline(self) -> None:
        record_baseline(self.move.core, self.move.ai, guard=self.move.guard)

    def _watch(self) -> None:
        self.move.switch.retire("old")
        begin_window(self.move.core, self.move.legacy)


def _lock(lock: psycopg.Connection) -> None:
    lock_writes(lock)
    prove_locked(lock)
