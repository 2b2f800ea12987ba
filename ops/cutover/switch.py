"""What a target must be able to do so that its active pair can be changed."""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy.engine import URL

from ops.books.active_pair import Pair


class Hold(Protocol):
    """No request is being served: new ones wait."""

    @property
    def epoch(self) -> int:
        """Counts the holds; the lock of a swap bears it, for as long as it may be given up."""

    def flip(self, pair: Pair) -> None:
        """Make `pair` the active one. Atomic: a kill leaves the old value or the new one."""

    def release(self) -> float:
        """Serve from the active pair again, and return for how many seconds nobody served."""


class Switch(Protocol):
    """How a target's backend gets another pair. One that does not hear of the change goes by the
    old database's lock, so that is locked for as long as the new pair may be served."""

    def active(self) -> Pair:
        """The pair that is active now."""

    def serve_active(self) -> None:
        """Make sure that the active pair is served, whatever a killed run left."""

    def refuse_strangers(self, ai: URL, at_least: int) -> None:
        """See that there are backends whose pair can be changed, and that these have the databases
        of this command.

        Args:
            at_least: how many backends there must be.

        Raises:
            RefusedError: there are fewer, or one would have to be deployed anew.
        """

    def stage(self, pair: Pair) -> str:
        """Have a backend of `pair` ready at a private address, and return that."""

    def ending_streams(self, seconds: float) -> AbstractContextManager[None]:
        """Have streams under way end within `seconds` and new ones wait, while all else is served,
        so that a hold in the block waits for none. A backend that does not is not waited for."""

    def hold(self, most_seconds: float) -> AbstractContextManager[Hold]:
        """Stop serving: requests under way are finished, streams are broken off. However the block
        ends, also by the death of this process, the active pair is served again, and after
        `most_seconds` whatever this process does. Then nothing can be flipped any more."""

    def public_address(self) -> str:
        """Where users reach the backend."""

    def retire(self, pair: Pair) -> None:
        """End the backend of a pair that is no longer active, or was only staged."""
