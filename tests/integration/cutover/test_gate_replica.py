"""What a backend makes of a row that says one thing and an old database that says another."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy.engine import URL

from app import database
from app.gate import replica
from app.gate.gate import Gate
from app.gate.replica import Replica
from app.gate.serving_pair import Pair
from ops.connection import connect
from ops.write_lock.lock import lock_and_prove, release_any_lock
from tests.integration.serving.starting import eventually

CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


def say(core: URL, pair: Pair) -> None:
    with connect(core, application_name="tests") as session:
        session.execute("INSERT INTO ops.gate (pair) VALUES (%s)", [pair])


@pytest.fixture
def run(core_url: URL, old_shape: URL, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run in a backend that has these databases."""

    async def ran(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        engines = {"new": database._engine(core_url, 2), "old": database._engine(old_shape, 2)}
        monkeypatch.setattr(replica, "engines_of", lambda pair: (engines[pair], engines[pair]))
        await work()
        for engine in engines.values():
            await engine.dispose()

    return lambda work: asyncio.run(ran(work))


async def ask_core(one: Replica) -> None:
    async with asyncio.timeout(10), one._session() as session:
        await one._follow(session)


def test_an_old_database_that_never_bore_the_lock_is_not_the_one_that_was_left(
    run: Run, core_url: URL, old_shape: URL
) -> None:
    """Only after it was seen locked does its being open mean that it was gone back to."""
    say(core_url, "new")
    one = Replica(Gate(), has_old=True)

    async def ask_old() -> str | None:
        await one._ask_old()
        return one.gate.order.pair if one.gate.order else None

    async def look() -> None:
        await ask_core(one)
        assert await ask_old() is None
        lock_and_prove(old_shape)
        assert await ask_old() is None
        release_any_lock(old_shape)
        assert await ask_old() == "old"

    run(look)


def test_a_backend_without_an_old_database_does_not_serve_the_old_pair(
    run: Run, core_url: URL
) -> None:
    say(core_url, "old")
    one = Replica(Gate(), has_old=False)
    run(lambda: ask_core(one))
    assert one.gate.order is None


def test_two_looks_at_once_leave_no_session_there(run: Run, core_url: URL, old_shape: URL) -> None:
    """Each closes its own: neither a pool that the other has replaced nor an error keeps one."""
    lock_and_prove(old_shape)
    one = Replica(Gate(), has_old=True)

    async def look() -> None:
        assert await asyncio.gather(one._locked(), one._locked()) == [True, True]
        with connect(core_url, application_name="tests", autocommit=True) as session:
            eventually(lambda: session.execute(CONNECTED, [old_shape.database]).fetchone() == (0,))

    run(look)


def test_who_was_told_of_a_swap_looks_at_the_lock_once_and_closes(
    run: Run, core_url: URL, old_shape: URL
) -> None:
    """Before the cleanup nobody may be connected to what was left."""
    say(core_url, "new")
    lock_and_prove(old_shape)
    one = Replica(Gate(), has_old=True)

    async def look() -> None:
        task = asyncio.create_task(one.follow())
        async with asyncio.timeout(30):
            while one.gate.order is None:
                await asyncio.sleep(0.02)
        with connect(core_url, application_name="tests", autocommit=True) as session:
            eventually(lambda: session.execute(CONNECTED, [old_shape.database]).fetchone() == (0,))
        task.cancel()
        await asyncio.wait([task])

    run(look)
