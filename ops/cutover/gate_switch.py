"""How the active pair changes where each backend holds both: a row of Core, a gate in each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import URL

from ops.backend.acquaintance import refuse_strangers
from ops.backend.trial import begin_trial, gate_session, refuse_none
from ops.books.active_pair import Pair, active_pair
from ops.books.gate import (
    Half,
    begin_hold,
    end_hold,
    end_streams,
    flip,
    let_streams_begin,
    replicas,
    served_pair,
    set_trial,
    take_over,
)
from ops.errors import ConfigurationError, DatabaseUnavailableError, RefusedError, SigmaSightError
from ops.waiting import wait_until
from ops.write_lock.lock import HOLDING, lock_state

_PAUSE_SECONDS = 0.005
_ANSWER_SECONDS = 5.0
_REPORT_SECONDS = 2.0


@dataclass
class GateHold:
    """Requests wait in every backend.

    Attributes:
        begun: when they began to (monotonic).
    """

    session: psycopg.Connection
    epoch: int
    begun: float

    def flip(self, pair: Pair) -> None:
        """Make `pair` the active one, which can be done only while all still wait."""
        if not flip(self.session, self.epoch, pair):
            raise RefusedError("requests do not wait any more, so the pair cannot be changed")

    def release(self) -> float:
        """Serve the waiting requests from the active pair; the seconds for which they waited."""
        end_hold(self.session, self.epoch)
        pair = served_pair(self.session) or "new"
        self._await(lambda: replicas(self.session, pair).open > 0)
        waited = time.monotonic() - self.begun
        self._await(lambda: replicas(self.session, pair).all_open)  # one may have been killed
        return waited

    def _await(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, _ANSWER_SECONDS, pause=_PAUSE_SECONDS)


def _start_nothing() -> None:
    """Backends that somebody else runs are there."""


@dataclass(frozen=True)
class GateSwitch:
    """See `ops.cutover.switch.Switch`.

    Attributes:
        legacy: the old database, whose lock says which pair serves while Core is lost.
        before: what was active before there was a gate.
        address: tells where users reach the backends.
        start: starts them, where they are ours and do not run.
    """

    core: URL
    legacy: URL | None
    before: Pair
    address: Callable[[], str]
    start: Callable[[], object] = _start_nothing

    def active(self) -> Pair:
        """What the row says; of a lost Core what the lock does, as backends have it."""
        try:
            return active_pair(self.core, self.before)
        except (DatabaseUnavailableError, ConfigurationError):  # its server, or itself, is gone
            return self._by_lock()

    def _by_lock(self) -> Pair:
        if self.legacy is None:
            return "new"
        try:
            return "new" if lock_state(self.legacy).any_locked else "old"
        except DatabaseUnavailableError:
            return self.before

    def serve_active(self) -> None:
        """Have a row and backends, and nobody hold whose command has died."""
        with suppress(DatabaseUnavailableError), self._gate():
            pass  # without Core there is no hold, and backends go by the lock
        self.start()

    def refuse_strangers(self, ai: URL, at_least: int) -> None:
        """See that backends report at the gate, as each does twice a second, and have the databases
        of this command.

        Raises:
            RefusedError: none does, fewer do than there must be, or one has others.
        """
        halves: dict[Half, URL] = {"ai": ai}
        if self.legacy is not None:
            halves["old"] = self.legacy
        with self._gate() as (session, pair):
            wait_until(lambda: replicas(session, pair).seen > 0, _REPORT_SECONDS)
            refuse_none(replicas(session, pair))
            refuse_strangers(session, pair, halves, at_least)

    def stage(self, pair: Pair) -> str:
        """Let the other pair be asked below an address that nobody knows.

        Raises:
            RefusedError: no backend is at the gate.
        """
        with self._gate() as (session, active):
            if active == pair:
                raise RefusedError(f"the {pair} pair is served already")
            return begin_trial(session, self.address(), active)

    @contextmanager
    def ending_streams(self, seconds: float) -> Iterator[None]:
        """Let new streams wait in each backend, and those under way come to their end."""
        with self._gate(HOLDING) as (session, active):
            if end_streams(session, seconds):
                most = seconds + _ANSWER_SECONDS
                wait_until(lambda: replicas(session, active).all_held, most, pause=_PAUSE_SECONDS)
            try:
                yield
            finally:
                # Where the session is gone too, the backends see that its lock is.
                with suppress(psycopg.Error, SigmaSightError):
                    let_streams_begin(session)

    @contextmanager
    def hold(self, most_seconds: float) -> Iterator[GateHold]:
        """Let new requests wait in each backend, and those under way come to their end.

        Raises:
            RefusedError: no backend is at the gate, somebody holds, or one does not come to rest.
        """
        with self._gate(HOLDING) as (session, active):
            refuse_none(replicas(session, active))
            begun = time.monotonic()
            epoch = begin_hold(session, most_seconds)
            if epoch is None:
                raise RefusedError("another command holds requests; try again when it has ended")
            try:
                _await_rest(session, active, most_seconds)
                yield GateHold(session, epoch, begun)
            finally:
                # Where the session is gone too, the backends see that the holder is.
                with suppress(psycopg.Error, SigmaSightError):
                    end_hold(session, epoch)

    def public_address(self) -> str:
        """Where users reach the backends."""
        return self.address()

    def retire(self, pair: Pair) -> None:
        """Let nobody ask the pair any more that is not served, and have each backend close what is
        open to it.

        Raises:
            RefusedError: it is served.
        """
        with self._gate() as (session, active):
            if active == pair:
                raise RefusedError(f"the {pair} pair is served; another must be before it ends")
            since = set_trial(session, None)
            wait_until(lambda: replicas(session, active, since).all_told, _ANSWER_SECONDS)

    @contextmanager
    def _gate(self, application_name: str = "gate") -> Iterator[tuple[psycopg.Connection, Pair]]:
        """The row, taken over from what was before it; and the pair that it says."""
        with gate_session(self.core, application_name) as session:
            yield session, take_over(session, self.before)


def _await_rest(session: psycopg.Connection, pair: Pair, seconds: float) -> None:
    """Wait until nothing is under way in any backend that may serve `pair`; one that is silent for
    longer than it may serve is not waited for."""
    if not wait_until(lambda: replicas(session, pair).all_held, seconds, pause=_PAUSE_SECONDS):
        found = replicas(session, pair)
        raise RefusedError(
            f"in {found.seen - found.held} of {found.seen} backends something was still under way"
        )
