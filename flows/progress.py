"""What is being done now, told to whoever watches this process: a terminal, a log, or nobody."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Watcher(Protocol):
    """Is told from any thread, and in order of each step."""

    def phase(self, name: str, number: int, total: int) -> None:
        """A phase of the whole plan begins: the `number`-th of `total`."""

    def begins(self, step: str) -> None:
        """A step of a phase begins."""

    def moved(self, step: str, done: int, total: int, unit: str) -> None:
        """So many things of a step are done."""

    def ends(self, step: str, seconds: float) -> None:
        """A step has ended, well or not."""


_watchers: list[Watcher] = []


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher what happens in the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def phase(name: str, number: int, total: int) -> None:
    """Say that a phase of the whole plan begins."""
    for watcher in _watchers:
        watcher.phase(name, number, total)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say when a step begins and when it has ended."""
    started = time.monotonic()
    for watcher in _watchers:
        watcher.begins(name)
    try:
        yield
    finally:
        for watcher in _watchers:
            watcher.ends(name, time.monotonic() - started)


def as_step(name: str, work: Callable[P, R]) -> Callable[P, R]:
    """The same work, told as a step."""

    @wraps(work)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        with step(name):
            return work(*args, **kwargs)

    return told


def moved(step: str, done: int, total: int, unit: str) -> None:
    """Say how far a step is."""
    for watcher in _watchers:
        watcher.moved(step, done, total, unit)
