"""Two servers at work at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def side_by_side(one: Callable[[], T], other: Callable[[], T]) -> tuple[T, T]:
    """What both give, each over a connection of its own; raises what either raises."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.submit(one)
        second = other()
        return beside.result(), second
