"""The steps of a rollback: those of a swap in reverse. However they end, one pair serves."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ops.cutover.access import begin_window
from ops.cutover.export import export_losses
from ops.cutover.lock_legacy import lock_at_once, open_again
from ops.cutover.losses_file import refuse_unusable
from ops.cutover.move import Move
from ops.cutover.put_back import put_forward
from ops.cutover.questions import ask_public, ask_staged
from ops.cutover.rollback_price import RollbackPrice, rollback_price
from ops.cutover.steps import Steps
from ops.cutover.switch import Hold
from ops.errors import RefusedError


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
class RollbackSteps:
    """One rollback."""

    move: Move
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
            if self.move.switch.active() == "new":
                self.move.switch.retire("old")
                # What it read of legacy is nobody else's.
                begin_window(self.move.core, self.move.legacy)
            raise
        try:
            self.steps.run("ask the public address", lambda: ask_public(self.move, "old"))
        except BaseException:
            put_forward(self.move)
            raise
        self.move.switch.retire("new")
        return held, lost

    def _stage(self) -> None:
        address = self.steps.run("stage the old backend", lambda: self.move.switch.stage("old"))
        if address is not None:
            self.steps.run("ask it", lambda: ask_staged(self.move, address, "old"))

    def _change(self) -> tuple[float, int]:
        hold = self.move.switch.hold(self.move.stream_seconds)
        with ExitStack() as stack:
            held = self.steps.run("hold requests", lambda: stack.enter_context(hold))
            lost = self.steps.run("final price", self._price)
            try:
                self._open_and_flip(held)
                return self.steps.run("release", held.release), lost
            except BaseException:
                self._restore(held)
                raise

    def _restore(self, held: Hold) -> None:
        """Undo the flip and lock again. See `SwapSteps._restore`."""
        if self.move.switch.active() == "old":
            held.flip("new")
        lock_at_once(self.move)

    def _price(self) -> int:
        """What is lost now that nobody writes any more."""
        price = rollback_price(self.move.core, self.move.ai, list_recomputable=False)
        self.accepted.check(price)
        if price.total and self.accepted.export is not None:
            export_losses(self.move.core, self.move.ai, self.accepted.export)
        return price.total

    def _open_and_flip(self, held: Hold) -> None:
        """First the lock, then the pair: a kill in between leaves the new pair serving, and the
        next run locks again."""
        self.steps.run("unlock legacy", lambda: open_again(self.move))
        self.steps.run("flip", lambda: held.flip("old"))
