"""A switch in a folder, for tests: the active pair is the state folder's value, backends are names
in a document, and who holds requests has a lock in Core, which ends with the session."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.engine import URL

from ops.books.active_pair import Pair
from ops.connection import connect, conninfo
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder
from ops.write_lock.lock import HOLDING

PAIR, _DOCUMENT = "stand_in_pair", "stand_in_backends"
_PAIRS: tuple[Pair, ...] = ("old", "new")


class CannotSwitchError(SigmaSightError):
    """What was asked for cannot be done now."""


@dataclass
class StandInHold:
    """No request is answered for as long as `session` lives."""

    switch: "StandInSwitch"
    session: psycopg.Connection
    begun: float
    epoch: int = 0

    def flip(self, pair: Pair) -> None:
        """Replace the value, while nobody is served."""
        try:
            self.session.execute("SELECT")
        except psycopg.Error:
            raise CannotSwitchError(
                "nothing is held any more, so the pair cannot be changed"
            ) from None
        self.switch.state.write(PAIR, {"pair": pair})

    def release(self) -> float:
        """Let requests in again."""
        pair = self.switch.active()
        if pair not in self.switch.backends():
            raise CannotSwitchError(f"the backend of the {pair} pair is not there")
        self.session.close()
        return time.monotonic() - self.begun


@dataclass
class _WaitingRoom:
    """Where requests wait while somebody holds: in one session, since each would open another."""

    core: URL
    session: psycopg.Connection | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self._turn:
            try:
                self._wait()
            except psycopg.OperationalError:  # it was ended: Core went away, and may be back
                self.session = None
                with suppress(psycopg.OperationalError):
                    self._wait()

    def _wait(self) -> None:
        self.session = self.session or psycopg.connect(
            conninfo(self.core), application_name="waits", autocommit=True
        )
        self.session.execute("SELECT pg_advisory_lock_shared(7, 7)")
        self.session.execute("SELECT pg_advisory_unlock_shared(7, 7)")


@dataclass(frozen=True)
class StandInSwitch:
    """See `ops.cutover.switch.Switch`; `url` is where a `SmallBackend` answers."""

    core: URL
    state: StateFolder
    url: str
    waiting_room: _WaitingRoom

    @classmethod
    @contextmanager
    def of(cls, core: URL, state: StateFolder, url: str) -> Iterator["StandInSwitch"]:
        room = _WaitingRoom(core)
        try:
            yield cls(core, state, url, room)
        finally:
            if room.session is not None:
                room.session.close()

    def active(self) -> Pair:
        pair: Pair = self.state.read(PAIR).get("pair", "old")
        return pair

    def serve_active(self) -> None:
        self._change(lambda there: there | {self.active()})

    def refuse_strangers(self, ai: URL, at_least: int) -> None:
        pass

    def stage(self, pair: Pair) -> str:
        self._change(lambda there: there | {pair})
        return f"{self.url}/{pair}"

    @contextmanager
    def ending_streams(self, seconds: float) -> Iterator[None]:
        yield

    @contextmanager
    def hold(self, most_seconds: float) -> Iterator[StandInHold]:
        with connect(self.core, application_name=HOLDING, autocommit=True) as session:
            session.execute("SELECT pg_advisory_lock(7, 7)")
            end = threading.Timer(most_seconds, session.close)
            end.daemon = True
            end.start()
            yield StandInHold(self, session, time.monotonic())
            end.cancel()

    def public_address(self) -> str:
        return f"{self.url}/public"

    def retire(self, pair: Pair) -> None:
        if pair == self.active():
            raise CannotSwitchError(f"the {pair} pair is served; another must be before it ends")
        self._change(lambda there: there - {pair})

    def backends(self) -> set[str]:
        """The pairs of which there is a backend."""
        return set(self.state.read(_DOCUMENT))

    def answering(self, role: str) -> Pair | None:
        """The pair whose backend answers at an address, if one is there; at the public one it
        waits until nobody holds."""
        pair: str = role
        if role == "public":
            self.waiting_room.wait()
            pair = self.active()
        return next((each for each in _PAIRS if each == pair and pair in self.backends()), None)

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        self.state.write(_DOCUMENT, dict.fromkeys(sorted(change(self.backends()))))
