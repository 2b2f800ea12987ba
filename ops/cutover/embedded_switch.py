"""How the active pair changes on the embedded target: a pointer file, and requests that wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ops.backend.environment import served_environment
from ops.backend.supervised import HeldBackend, SupervisedBackend
from ops.books.active_pair import Pair, active_pair
from ops.endpoints import resolve_endpoints
from ops.settings import OperatorSettings


@dataclass(frozen=True)
class EmbeddedHold:
    """Requests wait in the supervisor's socket."""

    switch: "EmbeddedSwitch"
    held: HeldBackend

    def flip(self, pair: Pair) -> None:
        """Make `pair` the active one, which only a supervisor that still holds can do."""
        self.held.flip(pair)

    def release(self) -> float:
        """Serve the waiting requests from the active pair; the seconds for which they waited."""
        return self.held.release(self.switch.active())


@dataclass(frozen=True)
class EmbeddedSwitch:
    """The supervisor of a state folder. See `ops.cutover.switch.Switch`.

    Attributes:
        prefect_api_url: told to the backends, if a server runs.
    """

    settings: OperatorSettings
    prefect_api_url: str | None
    lock_decides: bool = False

    def active(self) -> Pair:
        """What the pointer file says."""
        legacy = resolve_endpoints(self.settings).legacy
        return active_pair(self.settings.state, has_legacy=legacy is not None)

    def serve_active(self) -> None:
        """Start what is not running."""
        pair = self.active()
        self._backend.start(self._environment(pair), pair)
        self._backend.wait()

    def refuse_absent(self) -> None:
        """A backend is started where none is."""

    def stage(self, pair: Pair) -> str:
        """Start a backend of `pair` that only its private address reaches."""
        return self._backend.stage(self._environment(pair), pair)

    @contextmanager
    def hold(self, stream_seconds: float, most_seconds: float) -> Iterator[EmbeddedHold]:
        """Let new requests wait, and those under way come to their end."""
        with self._backend.hold(stream_seconds, most_seconds) as held:
            yield EmbeddedHold(self, held)

    def public_address(self) -> str:
        """The supervisor's own address."""
        return self._backend.wait()

    def retire(self, pair: Pair) -> None:
        """End a backend that does not serve."""
        self._backend.retire(pair)

    @property
    def _backend(self) -> SupervisedBackend:
        return SupervisedBackend(self.settings.state)

    def _environment(self, pair: Pair) -> dict[str, str]:
        return served_environment(self.settings, pair, self.prefect_api_url)
