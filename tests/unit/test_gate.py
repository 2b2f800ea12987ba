"""The gate of one process, without a database: who waits, who passes, who is broken off."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest

from app.agent import running
from app.errors import UnavailableError
from app.gate import gate as gate_module
from app.gate.gate import Gate, Order, before_stream, outside
from app.gate.middleware import GateMiddleware, without_word
from app.gate.replica import Replica, following
from app.gate.serving_pair import Pair, serving_pair

OLD, NEW = Order("old", 1, "open"), Order("new", 2, "open")
HELD = Order("old", 2, "held", seconds_left=5)
NEAR = Order("old", 2, "open", stream_seconds=5)


def obey(gate: Gate, order: Order, ago: float = 0.0) -> None:
    gate.obey(order, time.monotonic() - ago)


async def soon(gate: Gate) -> Pair:
    async with asyncio.timeout(1):
        return await gate.enter()


async def waits(gate: Gate) -> bool:
    task = asyncio.create_task(gate.enter())
    done, _ = await asyncio.wait([task], timeout=0.05)
    task.cancel()
    return not done


async def _before_anything_is_read(gate: Gate) -> None:
    assert await waits(gate)
    obey(gate, OLD)
    assert await soon(gate) == "old"


async def _held(gate: Gate) -> None:
    obey(gate, OLD)
    obey(gate, HELD)
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    obey(gate, Order("new", 2, "flipped", seconds_left=4))
    assert not waiting.done()
    obey(gate, NEW)
    assert await waiting == "new"


async def _started_in_a_hold(gate: Gate) -> None:
    obey(gate, HELD)
    assert await waits(gate)
    obey(gate, OLD)
    assert await soon(gate) == "old"


async def _long_not_read(gate: Gate) -> None:
    """As after SIGSTOP: what was read is old, so it is read again first."""
    obey(gate, OLD, ago=gate_module.BELIEVED_SECONDS["old"])
    assert await waits(gate)
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    obey(gate, NEW)
    assert await waiting == "new"


async def _nothing_ever_said(gate: Gate) -> None:
    with pytest.raises(UnavailableError, match="not known"):
        await gate.enter()


async def _under_way(gate: Gate) -> None:
    obey(gate, OLD)
    with gate.passing("old"):
        assert serving_pair.get() == "old"
        obey(gate, HELD)
        assert not gate.at_rest
    assert gate.at_rest
    assert serving_pair.get() is None


async def _asks_no_database_for_a_while(gate: Gate) -> None:
    """As a login whose password is hashed: the pair may change meanwhile, and it goes on there."""
    obey(gate, OLD)
    with gate.passing("old"):
        async with outside():
            obey(gate, HELD)
            assert gate.at_rest
            asyncio.get_running_loop().call_later(0.05, obey, gate, NEW)
        assert serving_pair.get() == "new"
        obey(gate, Order("new", 3, "held", seconds_left=5))
        assert not gate.at_rest
    assert gate.at_rest


async def _fails_while_it_asks_no_database(gate: Gate) -> None:
    """Whoever handles that may ask one again."""
    obey(gate, OLD)
    with gate.passing("old"):
        with suppress(ZeroDivisionError):
            async with outside():
                obey(gate, NEW)
                raise ZeroDivisionError
        assert serving_pair.get() == "new"
        obey(gate, Order("new", 3, "held", seconds_left=5))
        assert not gate.at_rest


async def _before_a_stream(gate: Gate) -> None:
    """Where a hold is near, a new stream waits until it is over; all else is served."""
    obey(gate, OLD)

    async def begin() -> Pair | None:
        with gate.passing(await gate.enter()):
            await before_stream()
            return serving_pair.get()

    assert await begin() == "old"
    obey(gate, NEAR)
    assert await soon(gate) == "old"
    waiting = asyncio.create_task(begin())
    await asyncio.sleep(0.02)
    assert gate.at_rest
    obey(gate, Order("old", 3, "held", seconds_left=5))
    obey(gate, Order("new", 3, "open"))
    assert await waiting == "new"


async def _before_a_stream_if_nobody_comes_back(gate: Gate) -> None:
    """Who wanted to hold has died: streams wait no longer than they were to."""
    obey(gate, Order("old", 2, "open", stream_seconds=0.01))
    with gate.passing("old"):
        await before_stream()
        assert serving_pair.get() == "old"


async def _stream_under_way(gate: Gate) -> None:
    """It has its time before anybody waits; what is left then is broken off."""
    obey(gate, OLD)
    quick, slow = (running.start(asyncio.sleep(s)) for s in (0.02, 30))
    await asyncio.sleep(0)
    obey(gate, Order("old", 2, "open", stream_seconds=0.1))
    assert not gate.at_rest
    await asyncio.wait([quick, slow], timeout=5)
    assert (quick.cancelled(), slow.cancelled()) == (False, True)
    assert gate.at_rest


async def _stream_that_begins_in_the_hold(gate: Gate) -> None:
    """Its request was let in before."""
    obey(gate, OLD)
    obey(gate, HELD)
    late = running.start(asyncio.sleep(30))
    await asyncio.sleep(0)
    obey(gate, HELD)
    await asyncio.wait([late], timeout=5)
    assert late.cancelled()


async def _silent_client(gate: Gate) -> None:
    """Who does not send its body holds up nobody for long."""
    obey(gate, OLD)

    async def request() -> None:
        with gate.passing("old"):
            await asyncio.sleep(30)

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    obey(gate, HELD)
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert gate.at_rest


async def _doubtful_core(gate: Gate) -> None:
    """What may still write to Core ends when nobody waits for this process any more."""
    obey(gate, NEW, ago=gate_module.BELIEVED_SECONDS["new"] - 0.05)

    async def request() -> None:
        with gate.passing("new"):
            await asyncio.sleep(30)

    task = asyncio.create_task(request())
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


CASES = [
    _before_anything_is_read,
    _held,
    _started_in_a_hold,
    _long_not_read,
    _nothing_ever_said,
    _under_way,
    _asks_no_database_for_a_while,
    _fails_while_it_asks_no_database,
    _before_a_stream,
    _before_a_stream_if_nobody_comes_back,
    _stream_under_way,
    _stream_that_begins_in_the_hold,
    _silent_client,
    _doubtful_core,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
def test_who_passes(
    case: Callable[[Gate], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(gate_module, "_PATIENCE_SECONDS", 0.2)

    async def run() -> None:
        await case(Gate())

    asyncio.run(run())


@pytest.mark.parametrize("begun", [False, True])
def test_who_is_broken_off_may_try_again_unless_his_answer_has_begun(begun: bool) -> None:
    sent: list[dict[str, Any]] = []

    async def application(scope: object, receive: object, send: Callable[..., Any]) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(30)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        gate = Gate()
        obey(gate, NEW, ago=gate_module.BELIEVED_SECONDS["new"] - 0.05)
        middleware = GateMiddleware(application, gate)  # type: ignore[arg-type]
        await middleware({"type": "http", "path": "/"}, None, send)  # type: ignore[arg-type]

    with pytest.raises(asyncio.CancelledError) if begun else nullcontext():
        asyncio.run(ask())
    assert sent[0]["status"] == (200 if begun else 503)
    assert begun or (b"retry-after", b"2") in sent[0]["headers"]


def test_the_other_pair_is_asked_by_whoever_knows_the_word() -> None:
    met: list[tuple[str, Pair | None]] = []

    async def application(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        met.append((scope["path"], serving_pair.get()))

    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of foo

    async def ask(*paths: str) -> None:
        gate = Gate()
        obey(gate, Order("old", 1, "open", trial_digest=digest))
        middleware = GateMiddleware(application, gate)  # type: ignore[arg-type]
        for path in paths:
            await middleware({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]

    assert without_word("/trial-foo/ready") == "/trial-…/ready", "as it is logged"
    asyncio.run(ask("/trial-foo/ready", "/trial-bar/ready", "/trial-foo", "/health", "/ready"))
    assert met == [
        ("/ready", "new"),
        ("/trial-bar/ready", "old"),
        ("/trial-foo", "old"),
        ("/health", "old"),
        ("/ready", "old"),
    ]


def test_a_trial_goes_on_where_core_does_not_answer_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_open(_self: Replica) -> bool:
        return False

    async def cut_off() -> Order | None:
        gate = Gate()
        obey(gate, Order("old", 1, "open", trial_digest="of a word"))
        await Replica(gate, has_old=True)._ask_old()
        return gate.order

    monkeypatch.setattr(Replica, "_locked", is_open)
    assert asyncio.run(cut_off()) == Order("old", 1, "open", trial_digest="of a word")


def test_a_core_that_stalls_is_not_waited_for_while_the_old_database_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @asynccontextmanager
    async def stalled(_self: Replica) -> AsyncIterator[None]:
        yield await asyncio.Event().wait()

    async def is_open(_self: Replica) -> bool:
        return False

    async def leave(_self: Replica) -> None:
        pass

    async def cut_off(order: Order, then: Callable[[Gate], Awaitable[object]]) -> object:
        gate = Gate()
        obey(gate, order, ago=gate_module.BELIEVED_SECONDS[order.pair])
        async with following(gate, has_old=True):
            return await then(gate)

    for name, stands_in in (("_session", stalled), ("_locked", is_open), ("leave", leave)):
        monkeypatch.setattr(Replica, name, stands_in)
    assert asyncio.run(cut_off(OLD, soon)) == "old"
    assert asyncio.run(cut_off(HELD, waits)), "a hold in progress is not cut short"
    assert asyncio.run(cut_off(NEW, waits)), "nothing says that the new pair was left"


def test_what_core_says_meanwhile_counts_more_than_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_open_but_core_speaks(self: Replica) -> bool:
        obey(self.gate, HELD)
        return False

    async def asked() -> Order | None:
        gate = Gate()
        obey(gate, OLD)
        await Replica(gate, has_old=True)._ask_old()
        return gate.order

    monkeypatch.setattr(Replica, "_locked", is_open_but_core_speaks)
    assert asyncio.run(asked()) == HELD
