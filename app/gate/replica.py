"""How a process follows the row: it reports, is told, and is woken when something changes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import psycopg
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database import close_connections, driver_of, engines_of
from app.gate.gate import Gate, Order
from app.gate.serving_pair import Pair, other_pair
from app.sql_files import statement
from app.stalled import answered_within

CHANNEL = "sigmasight_gate"
_HEARTBEAT_SECONDS = 0.5
_TICK_SECONDS = 0.01
_PATIENCE_SECONDS = 1.0
# The old database is looked at so long before it is believed no more.
_LOOK_SECONDS = 1.0
_RELEASE_SECONDS = 10.0
_MEETING_SECONDS = 10.0
_FAILURES = (SQLAlchemyError, psycopg.Error, OSError, TimeoutError)

_log = logging.getLogger("sigmasight.gate")


@asynccontextmanager
async def following(gate: Gate, *, has_old: bool) -> AsyncIterator[None]:
    """Have the gate follow the row while the block runs."""
    replica = Replica(gate, has_old)
    work = [replica.follow(), replica.meet()]
    if has_old:
        work += [replica.go_by_lock(), replica.release_given_up()]
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await replica.leave()


class Replica:
    """This process among those that serve."""

    def __init__(self, gate: Gate, has_old: bool) -> None:
        self.gate = gate
        self._id = uuid4()
        self._has_old = has_old
        self._settled: tuple[Pair, str | None] | None = None
        self._told: tuple[int, str] | None = None
        self._by_lock = False
        # Core has said that the old pair was left; whether its lock was seen since, once looked.
        self._left = False
        self._lock_seen: bool | None = None
        # Of a hold that has ended with the old pair; only Core's word counts.
        self._given_up: int | None = None

    async def follow(self) -> None:
        """Follow the row until this is cancelled."""
        while True:
            try:
                async with self._session() as session:
                    await self._follow(session)
            except _FAILURES as error:
                self._by_lock = True
                _log.warning("Core does not say who serves", extra={"error": type(error).__name__})
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def meet(self) -> None:
        """Whenever a trial has begun, tell Core in which other databases of this process whoever
        began it is, so that no other pair is changed than that which is served here; until this is
        cancelled."""
        told: str | None = None
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            digest = self.gate.order.trial_digest if self.gate.order else None
            if digest is not None and digest != told:
                with suppress(*_FAILURES):
                    await self._meet(digest)
                    told = digest

    async def _meet(self, digest: str) -> None:
        core, ai = engines_of("new")
        halves = {"ai": ai, "old": engines_of("old")[0]} if self._has_old else {"ai": ai}
        # Users' requests may leave no connection for seconds, and nobody waits for this.
        async with asyncio.timeout(_MEETING_SECONDS):
            found = [
                half for half in halves if await _holds(halves[half], "gate/met", digest=digest)
            ]
            told = {"replica": self._id, "digest": digest, "found": found}
            async with core.begin() as session:
                await session.execute(statement("gate/meet"), told)

    async def go_by_lock(self) -> None:
        """While Core does not answer, or not yet, have the lock in the old database say whether it
        may still be served, since a swap locks it before it is left; until this is cancelled. No
        user waits for as long as Core takes to fail."""
        while True:
            with suppress(*_FAILURES):
                if self._by_lock or self._ends_belief_in_old():
                    await self._ask_old()
                elif self._left and self._lock_seen is None:
                    self._lock_seen = False
                    await self._locked()
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    def _ends_belief_in_old(self) -> bool:
        order = self.gate.order
        return order is not None and order.pair == "old" and self.gate.believes_for < _LOOK_SECONDS

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncConnection]:
        core, _ = engines_of("new")
        async with asyncio.timeout(_PATIENCE_SECONDS * 5):
            connection = await core.connect()
        try:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            async with _prompt(connection):
                await connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            yield connection
        finally:
            await connection.invalidate()
            await connection.close()

    async def _follow(self, session: AsyncConnection) -> None:
        begins = True
        while True:
            asked_at = time.monotonic()
            order = await self._report(session)
            if order is None:
                self._by_lock = True
                return
            ended = (order.pair, order.state) == ("old", "open")
            self._given_up = order.epoch if ended else None
            self._left = order.pair == "new"
            self._lock_seen = self._lock_seen if self._left else None
            if order.pair == "old" and not self._has_old:
                _log.error("the old pair serves, and LEGACY_DATABASE_URL is not set")
                return
            begins = begins and await self._is_doubtful(order)
            if begins and order.state == "open":
                return
            self._by_lock = self._by_lock and begins
            self.gate.obey(order, asked_at)
            await self._close_other(order)
            await self._wait(session)

    async def release_given_up(self) -> None:
        """Take the lock of a swap off that was given up, so that users write again without another
        command; until this is cancelled.

        Once Core has said so it is true for ever: in a hold that has ended nobody changes the pair.
        A lock that a stopped command makes late is found by the next look; one of another hold is
        left alone by the old database itself.
        """
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            if self._given_up is None:
                continue
            with suppress(*_FAILURES):  # a table is in use, or it does not answer
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await _release_lock_of(self._given_up)

    async def leave(self) -> None:
        """Say that this process serves no more, so that nobody waits for it."""
        with suppress(*_FAILURES):
            async with self._session() as session:
                await self._tell(session, 0, "gone")

    async def _report(self, session: AsyncConnection) -> Order | None:
        self._told = self._state()
        return await self._tell(session, *self._told)

    async def _tell(self, session: AsyncConnection, epoch: int, state: str) -> Order | None:
        told = {"replica": self._id, "epoch": epoch, "state": state}
        async with _prompt(session):
            row = (await session.execute(statement("gate/report"), told)).one_or_none()
        return None if row is None else Order(**row._mapping)

    def _state(self) -> tuple[int, str]:
        if self.gate.is_open and not self.gate.ends_streams:
            return self.gate.epoch, "open"
        return self.gate.epoch, "held" if self.gate.at_rest else "holding"

    async def _wait(self, session: AsyncConnection) -> None:
        """Until there is something to report, or the row has changed, or a while."""
        epoch, state = self._state()
        if (epoch, state) != self._told:
            return
        if state == "holding":
            await asyncio.sleep(_TICK_SECONDS)
            return
        seconds = _HEARTBEAT_SECONDS if state == "open" else 5 * _TICK_SECONDS
        driver = driver_of(await session.get_raw_connection())
        async for _ in driver.notifies(timeout=seconds, stop_after=1):
            pass

    async def _close_other(self, order: Order) -> None:
        """Close what is open to a pair that is no longer asked: its users are counted."""
        if order.state == "open" and self._settled != (order.pair, order.trial_digest):
            self._settled = order.pair, order.trial_digest
            if order.trial_digest is None:
                await close_connections(other_pair(order.pair))

    async def _ask_old(self) -> None:
        """Serve from the old database for as long as no swap has locked it. What Core says before
        that has answered counts, and so does a hold in progress."""
        known = self.gate.order
        waits = not self.gate.is_open and known is not None and not self.gate.overdue
        if waits:
            return
        asked_at = time.monotonic()
        locked = await self._locked()
        # One that was left, and never seen locked, is another database than the one that was left.
        foreign = self._left and not self._lock_seen
        if not locked and not foreign and self.gate.order is known:
            # Whoever knows the word of a trial still does.
            word = known.trial_digest if known else None
            self.gate.obey(Order("old", self.gate.epoch, "open", trial_digest=word), asked_at)

    async def _is_doubtful(self, order: Order) -> bool:
        """Whether the old database bears no lock although Core says that it was left. The old pair
        was gone back to while Core was lost, and who serves from it goes on; others serve nothing,
        until a command has told Core."""
        if order.pair == "old" or not self._has_old:
            return False
        with suppress(*_FAILURES):
            if not await self._locked():
                _log.error("Core says new, but the old database is not locked; run a rollback")
                return True
        return False

    async def _locked(self) -> bool:
        old, _ = engines_of("old")
        async with asyncio.timeout(_PATIENCE_SECONDS), old.connect() as session:
            try:
                locked: bool = (await session.execute(statement("gate/locked"))).scalar_one()
            finally:
                await session.invalidate()  # whatever ends it: no pool keeps what counts
        self._lock_seen = self._lock_seen or locked
        if locked:
            await old.dispose()  # nobody is served from there, and a cleanup counts connections
        return locked


async def _holds(engine: AsyncEngine, question: str, **told: str) -> bool:
    async with engine.connect() as session:
        found: bool = (await session.execute(statement(question), told)).scalar_one()
        await session.commit()
        return found


@asynccontextmanager
async def _prompt(session: AsyncConnection) -> AsyncIterator[None]:
    """What is asked of Core is answered soon, or the connection is closed."""
    with answered_within(_PATIENCE_SECONDS, driver_of(await session.get_raw_connection())):
        yield


async def _release_lock_of(hold: int) -> None:
    old, _ = engines_of("old")
    async with old.connect() as session:
        if (await session.execute(statement("gate/releasable"), {"hold": hold})).scalar_one():
            await session.commit()
            await session.execute(select(func.sigmasight_release.given_up(hold)))
            _log.warning("a swap was given up, so the old database is open to writes again")
        await session.commit()
