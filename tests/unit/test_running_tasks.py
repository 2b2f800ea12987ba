"""Which tasks of a backend can be ended, and when."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import pytest

from app.agent import grounding, running

_LONG = 30.0


async def _in_a_scope_that_ends() -> None:
    """As a connection that two addresses were tried for: the scope breaks off what is late."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await asyncio.sleep(_LONG)
    await asyncio.sleep(_LONG)


async def _past_a_deadline() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(_LONG)
    await asyncio.sleep(_LONG)


async def _grounded() -> None:
    """What is fetched comes at the very turn at which the answer is stopped."""
    await grounding._or("", asyncio.sleep(0, ""))
    await asyncio.sleep(_LONG)


async def _waiting() -> None:
    await asyncio.sleep(_LONG)


async def _stopped_at_turn(turn: int, work: Callable[[], Awaitable[None]]) -> bool:
    """Whether work ends that is stopped `turn` turns of the loop after it began."""

    async def carry_out() -> None:
        await work()

    task = running.start(carry_out())
    for _ in range(turn):
        await asyncio.sleep(0)
    running.stop(task, "nobody reads")
    await asyncio.wait([task], timeout=2)
    ended = task.cancelled()
    task.cancel()
    return ended


@pytest.mark.parametrize("work", [_waiting, _grounded, _in_a_scope_that_ends, _past_a_deadline])
def test_a_task_is_ended_whatever_it_breaks_off_within_itself(
    work: Callable[[], Awaitable[None]],
) -> None:
    async def every_turn() -> list[bool]:
        return [await _stopped_at_turn(turn, work) for turn in range(6)]

    assert asyncio.run(every_turn()) == [True] * 6
    assert running.under_way() == 0


def test_a_task_that_is_ending_is_not_broken_off_again() -> None:
    saved: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(_LONG)
        finally:
            await asyncio.sleep(0.05)
            saved.append("what there is")

    async def twice() -> None:
        task = running.start(work())
        await asyncio.sleep(0)
        running.stop(task, "first")
        await asyncio.sleep(0)
        running.stop(task, "second")
        await asyncio.wait([task])

    asyncio.run(twice())
    assert saved == ["what there is"]
