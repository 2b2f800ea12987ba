"""Waiting for a condition, with a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.05


def wait_until(
    condition: Callable[[], T],
    seconds: float,
    *,
    pause: float = _PAUSE_SECONDS,
    unless: Callable[[], object] | None = None,
) -> T:
    """Ask `condition` until its value is true, at least once, and return that value. An untrue one
    means that the time is over: the caller knows what to say of it.

    Args:
        pause: seconds between two questions.
        unless: ends the wait early, once it is true: what is waited for cannot happen any more.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()) and not _is_over(deadline, unless):
        time.sleep(pause)
    return value


def _is_over(deadline: float, unless: Callable[[], object] | None) -> bool:
    return time.monotonic() >= deadline or (unless is not None and bool(unless()))
