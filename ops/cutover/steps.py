"""The steps of a swap or a rollback: named, recorded before they begin, timed; and how they end."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from ops.books.active_pair import Pair
from ops.books.cutovers import (
    LEADS_TO,
    Kind,
    begin_cutover,
    end_cutover,
    enter_step,
    first_words,
    last_cutover,
)
from ops.cutover.installation import Installation
from ops.errors import SigmaSightError

T = TypeVar("T")


@dataclass(frozen=True)
class CutoverReport:
    """What a swap or rollback did.

    Attributes:
        active: the pair that is served now.
        changed: False where it was active already.
        held_seconds: how long requests waited, or were refused.
        refused: whether they were refused meanwhile, as by backends that have lost Core.
        seconds: step → seconds.
        carried: rows of users that a rollback carried back.
        lost: rows that only the other pair has.
        export: where those were written to.
        recovered: what was done first about a run that was killed.
        ended_at: when the pair became active.
    """

    active: Pair
    changed: bool
    address: str
    held_seconds: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    lost: int = 0
    export: Path | None = None
    recovered: str | None = None
    ended_at: datetime | None = None
    carried: int = 0
    refused: bool = False

    @property
    def users_met(self) -> str:
        """What users met while the pair changed."""
        met = "were refused" if self.refused else "waited"
        return f"requests {met} for {self.held_seconds:.2f} s"

    def lines(self) -> Iterator[str]:
        """What became of the pair and of users' rows."""
        if not self.changed:
            yield f"the {self.active} pair is active already, at {self.address}"
            return
        yield f"the {self.active} pair is active at {self.address}, {self.users_met}"
        if self.carried:
            yield f"{self.carried:,} rows that users wrote since the swap were carried back"
        if self.lost:
            kept = f"; they are in {self.export}" if self.export else ""
            yield f"{self.lost} rows of users are only in the new pair{kept}"
        elif self.export:
            yield f"nothing had to be exported: {self.export} holds no changes"


@dataclass
class Steps:
    """What is done in order.

    Attributes:
        enter: told each step's name before it begins, and Core's session.
        announce: told each step's name and seconds when it has ended.
        core: a session that is open while requests wait.
    """

    enter: Callable[[str, psycopg.Connection | None], None]
    announce: Callable[[str, float], None]
    seconds: dict[str, float] = field(default_factory=dict)
    core: psycopg.Connection | None = None

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do one step."""
        self.enter(name, self.core)
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[name] = time.monotonic() - started
            self.announce(name, self.seconds[name])


def carry_out(
    installation: Installation,
    kind: Kind,
    plan_id: str,
    legacy: Mapping[str, Any],
    accepted_loss: int,
    work: Callable[[Steps], tuple[float, int]],
) -> CutoverReport:
    """Do the steps of a swap or rollback, and record how they ended. The record says which was
    begun last, so that the run after a killed one knows how far it came.

    Args:
        work: does them; returns for how many seconds requests were held, and the rows lost.

    Raises:
        SigmaSightError: the operator stopped it when the pair had changed, which stands.
    """
    begun = begin_cutover(
        installation.core, kind, plan_id, legacy, accepted_loss, installation.guard
    )
    steps = Steps(partial(enter_step, installation.core, begun), installation.announce)
    try:
        held, lost = work(steps)
    except BaseException as error:
        if installation.switch.active() != LEADS_TO[kind]:  # else the next run finishes it
            end_cutover(
                installation.core, begun, "undone", steps.seconds, reason=first_words(error)
            )
        elif _interrupted(error):
            raise SigmaSightError(
                f"interrupted when the pair had changed: the {LEADS_TO[kind]} pair serves, and "
                f"stays; run `sigmasight {kind}` again, which finishes what is left"
            ) from None
        raise
    end_cutover(installation.core, begun, "done", steps.seconds, held_seconds=held)
    ended = last_cutover(installation.core, "done")
    return CutoverReport(
        LEADS_TO[kind],
        True,
        installation.switch.public_address(),
        held,
        steps.seconds,
        lost,
        ended_at=ended.ended_at if ended else None,
    )


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C began it, whatever failed then."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or _interrupted(error.__context__)
    )
