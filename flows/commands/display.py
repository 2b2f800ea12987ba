"""What a command shows while it works: a live display in a terminal, plain lines elsewhere."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from flows.commands.output import err, shown
from flows.progress import watched_by


@contextmanager
def display(command: str) -> Iterator[None]:
    """Show what happens in the block, unless only results are wanted. A terminal that goes away
    meanwhile takes what is shown along, not the block."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _watched(command):
            yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _watched(command: str) -> Iterator[None]:
    if shown.quiet:
        yield
    elif err().is_terminal:
        with _bars() as bars, watched_by(LiveDisplay(bars, command)):
            yield
    else:
        with watched_by(LineDisplay(command)):
            yield


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(24),
        _Figures(),
        TimeElapsedColumn(),
        console=err(),
        transient=True,
        redirect_stdout=False,
    )


class _Figures(ProgressColumn):
    """Things done of all, how many a second, and the seconds that are left."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Nothing where the step does not count."""
        if task.total is None:
            return Text("")
        words = f"{int(task.completed):,}/{int(task.total):,} {task.fields['unit']}"
        if task.speed and task.fields["unit"] == "rows":
            words += f"  {task.speed:,.0f}/s  {task.time_remaining or 0:.0f} s left"
        return Text(words, style="progress.percentage")


class LineDisplay:
    """A line at the beginning and at the end of each step."""

    def __init__(self, command: str) -> None:
        self._phase = command

    def phase(self, name: str, number: int, total: int) -> None:
        """Named in the lines that follow."""
        self._phase = f"{number}/{total} {name}"

    def begins(self, step: str) -> None:
        """One line."""
        self._say(f"{step} …")

    def moved(self, step: str, done: int, total: int, unit: str) -> None:
        """Too often for lines."""

    def ends(self, step: str, seconds: float) -> None:
        """One line, with the step's duration."""
        self._say(f"{step}: {seconds:.1f} s")

    def _say(self, words: str) -> None:
        err().print(f"{datetime.now():%H:%M:%S} {self._phase}: {words}")


class LiveDisplay(LineDisplay):
    """A bar for the phase, and one for each step under way."""

    def __init__(self, bars: Progress, command: str) -> None:
        super().__init__(command)
        self._bars = bars
        self._whole = bars.add_task(command, total=None, unit="phases")
        self._steps: dict[str, TaskID] = {}

    def phase(self, name: str, number: int, total: int) -> None:
        """The whole plan's bar."""
        super().phase(name, number, total)
        self._bars.update(self._whole, description=self._phase, completed=number - 1, total=total)

    def begins(self, step: str) -> None:
        """A bar that only shows that something is done, until a figure comes."""
        self._steps[step] = self._bars.add_task(f"  {step}", total=None, unit="")

    def moved(self, step: str, done: int, total: int, unit: str) -> None:
        """A share of a bar."""
        if step in self._steps:
            self._bars.update(self._steps[step], completed=done, total=total, unit=unit)

    def ends(self, step: str, seconds: float) -> None:
        """What was done stays, above the bars."""
        self._bars.remove_task(self._steps.pop(step))
        super().ends(step, seconds)
