"""The steps of a swap or a rollback: named, recorded before they begin, timed; and how they end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ops.cutover.move import Move
from ops.cutover.record import (
    LEADS_TO,
    Kind,
    begin_cutover,
    end_cutover,
    enter_step,
    first_words,
    last_cutover,
)
from ops.cutover.report import CutoverReport

T = TypeVar("T")


@dataclass
class Steps:
    """What is done in order.

    Attributes:
        enter: told each step's name before it begins.
        announce: told each step's name and seconds when it has ended.
    """

    enter: Callable[[str], None]
    announce: Callable[[str, float], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do one step."""
        self.enter(name)
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[name] = time.monotonic() - started
            self.announce(name, self.seconds[name])


def carry_out(
    move: Move,
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
    """
    begun = begin_cutover(move.core, kind, plan_id, legacy, accepted_loss)
    steps = Steps(lambda step: enter_step(move.core, begun, step), move.announce)
    try:
        held, lost = work(steps)
    except BaseException as error:
        if move.switch.active() != LEADS_TO[kind]:  # else the next run finishes it
            end_cutover(move.core, begun, "undone", steps.seconds, reason=first_words(error))
        raise
    end_cutover(move.core, begun, "done", steps.seconds, held_seconds=held)
    ended = last_cutover(move.core, "done")
    return CutoverReport(
        LEADS_TO[kind],
        True,
        move.switch.public_address(),
        held,
        steps.seconds,
        lost,
        ended_at=ended.ended_at if ended else None,
    )
