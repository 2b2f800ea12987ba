"""A switch in a folder, for tests: the active pair is the state folder's value, backends are names
in a document, and who holds requests has a lock on a file, which ends with the process."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from ops.books.active_pair import Pair
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder

PAIR, _DOCUMENT = "stand_in_pair", "stand_in_backends"
_PAIRS: tuple[Pair, ...] = ("old", "new")


class CannotSwitchError(SigmaSightError):
    """What was asked for cannot be done now."""


@dataclass
class StandInHold:
    """No request is answered for as long as `lock` is open."""

    switch: "StandInSwitch"
    lock: IO[str]
    begun: float
    epoch: int = 0

    def flip(self, pair: Pair) -> None:
        """Replace the value, while nobody is served."""
        if self.lock.closed:
            raise CannotSwitchError("nothing is held any more, so the pair cannot be changed")
        self.switch.state.write(PAIR, {"pair": pair})

    def release(self) -> float:
        """Let requests in again."""
        pair = self.switch.active()
        if pair not in self.switch.backends():
            raise CannotSwitchError(f"the backend of the {pair} pair is not there")
        self.lock.close()
        return time.monotonic() - self.begun


@dataclass(frozen=True)
class StandInSwitch:
    """See `ops.cutover.switch.Switch`; `url` is where a `SmallBackend` answers."""

    state: StateFolder
    url: str

    def active(self) -> Pair:
        pair: Pair = self.state.read(PAIR).get("pair", "old")
        return pair

    def serve_active(self) -> None:
        self._change(lambda there: there | {self.active()})

    def refuse_absent(self) -> None:
        pass

    def stage(self, pair: Pair) -> str:
        self._change(lambda there: there | {pair})
        return f"{self.url}/{pair}"

    @contextmanager
    def hold(self, stream_seconds: float, most_seconds: float) -> Iterator[StandInHold]:
        with open(self.state.root / "held", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            end = threading.Timer(most_seconds, lock.close)
            end.daemon = True
            end.start()
            yield StandInHold(self, lock, time.monotonic())
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
            with open(self.state.root / "held", "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)
                pair = self.active()
        return next((each for each in _PAIRS if each == pair and pair in self.backends()), None)

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        self.state.write(_DOCUMENT, dict.fromkeys(sorted(change(self.backends()))))
