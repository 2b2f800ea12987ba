"""Turns and what follows them, as tasks of this process: counted per user, ended with it."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from app.agent import bounds
from app.errors import TooManyRequestsError

_RETRY_AFTER_SECONDS = 5
_PATIENCE_SECONDS = 10.0
_STOPPED = "The backend stopped before the answer ended"

_T = TypeVar("_T")
_streams: Counter[UUID] = Counter()
_tasks: set[asyncio.Task[Any]] = set()
_begun: set[asyncio.Task[Any]] = set()
_watched: set[asyncio.Task[Any]] = set()
_finishing: set[asyncio.Task[Any] | None] = set()
_stopped: set[asyncio.Task[Any]] = set()


class StreamSlot:
    """One of the few streams that a user may have open in this process."""

    def __init__(self, user_id: UUID) -> None:
        if _streams[user_id] >= bounds.STREAMS_PER_USER:
            raise TooManyRequestsError(
                f"At most {bounds.STREAMS_PER_USER} answers at a time", _RETRY_AFTER_SECONDS
            )
        _streams[user_id] += 1
        self._user_id = user_id

    def free(self) -> None:
        """Give the slot back, once."""
        _streams[self._user_id] -= 1
        if not _streams[self._user_id]:
            del _streams[self._user_id]


def start(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Run `work` beside the request; it is ended with the backend."""
    task = asyncio.create_task(work)
    _keep(task, _tasks)
    return task


def watch(task: asyncio.Task[Any]) -> None:
    """Count a task that others began, and end, among what is under way."""
    _keep(task, _watched)


def _keep(task: asyncio.Task[Any], among: set[asyncio.Task[Any]]) -> None:
    among.add(task)
    task.add_done_callback(among.discard)
    # After its first step: an answer that is ended before that could not tell its client.
    asyncio.get_running_loop().call_soon(_begun.add, task)
    task.add_done_callback(_begun.discard)


def under_way() -> int:
    """How many tasks run: answers and what follows them."""
    return len(_tasks) + len(_watched)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What the present task does in this block is not to be broken off."""
    task = asyncio.current_task()
    _finishing.add(task)
    try:
        yield
    finally:
        _finishing.discard(task)


def stop(task: asyncio.Task[Any], why: str) -> None:
    """End a task, unless it is ending already.

    `task.cancelling()` would not tell: a scope within the task (a connection that two addresses
    are tried for) cancels it for a moment too, and it goes on.
    """
    if task not in _finishing and task not in _stopped and task.cancel(why):
        _stopped.add(task)
        task.add_done_callback(_stopped.discard)


def stop_begun() -> None:
    """End what still runs: the client of an answer is told that it may ask again, and what follows
    answers and ratings may be left undone."""
    for task in list(_begun):
        stop(task, _STOPPED)


async def stop_all() -> None:
    """End what still runs, and let it save what there is."""
    for task in list(_tasks):
        stop(task, _STOPPED)
    if _tasks:
        await asyncio.wait(list(_tasks), timeout=_PATIENCE_SECONDS)
