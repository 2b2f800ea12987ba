"""The steps of a swap or a rollback: named, recorded before they begin, timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.engine import URL

from ops.cutover.record import enter_step

T = TypeVar("T")
Runner = Callable[[str, Callable[[], T]], T]


def run_plainly(_name: str, work: Callable[[], T]) -> T:
    """Run a step without telling anybody."""
    return work()


@dataclass
class Steps:
    """What is done in order. The record says which step was begun last, so that the run after a
    killed one knows how far it came.

    Attributes:
        announce: told each step's name and seconds when it has ended.
    """

    core: URL
    cutover: int
    announce: Callable[[str, float], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do one step."""
        enter_step(self.core, self.cutover, name)
        return self.time(name, work)

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do one step whose beginning needs no record of its own."""
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[name] = time.monotonic() - started
            self.announce(name, self.seconds[name])
