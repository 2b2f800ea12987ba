"""What a swap and a rollback work on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ops.books.run_lock import Fence
from ops.carrying.carry_back import CarryingSessions, carrying_sessions
from ops.connection import connect, explained
from ops.cutover.switch import Hold, Switch
from ops.database_identity import identity, same_identity
from ops.endpoints import Endpoints
from ops.errors import DatabaseUnavailableError, RefusedError
from ops.settings import OperatorSettings
from ops.write_lock.fence import lift_fence
from ops.write_lock.lock import lock_and_prove, release_any_lock, release_others

# How long a chat's stream that is under way may go on before it is ended with a retryable error.
STREAM_SECONDS = 5.0
# How long users may wait, by default. A hold that takes longer ends without a change.
MAX_HOLD_SECONDS = 5.0


def say_nothing(_step: str, _seconds: float) -> None:
    """Tell nobody that a step has ended."""


@dataclass(frozen=True)
class Installation:
    """The databases, what serves from them, and who is told of each step.

    Attributes:
        fence: of the run that holds the phases' lock.
        announce: told each step's name and seconds when it has ended.
        stream_seconds: what a stream that is under way is given, before users wait.
        max_hold_seconds: how long users may wait.
    """

    settings: OperatorSettings
    endpoints: Endpoints
    switch: Switch
    fence: Fence
    announce: Callable[[str, float], None] = say_nothing
    stream_seconds: float = STREAM_SECONDS
    max_hold_seconds: float = MAX_HOLD_SECONDS

    def refuse_strangers(self) -> None:
        """`Switch.refuse_strangers` with as many backends as the operator says there are."""
        self.switch.refuse_strangers(self.ai, self.settings.least_replicas)

    def hold(self) -> AbstractContextManager[Hold]:
        """`Switch.hold` for as long as users may wait."""
        return self.switch.hold(self.max_hold_seconds)

    def ending_streams(self) -> AbstractContextManager[None]:
        """`Switch.ending_streams` within the time that they are given."""
        return self.switch.ending_streams(self.stream_seconds)

    def carrying(self) -> AbstractContextManager[CarryingSessions]:
        """What carries users' rows back into the old database. Raises as `legacy`."""
        return carrying_sessions(self.core, self.ai, self.legacy)

    @property
    def core(self) -> URL:
        """Core's address, the owner's."""
        return self.endpoints.core

    @property
    def ai(self) -> URL:
        """AI's address, the owner's."""
        return self.endpoints.ai

    @property
    def legacy(self) -> URL:
        """The old database's address, the owner's.

        Raises:
            RefusedError: there is none.
        """
        if self.endpoints.legacy is None:
            raise RefusedError(
                "there is no old database, so there is nothing to swap with; set "
                "LEGACY_DATABASE_URL if there is one"
            )
        return self.endpoints.legacy

    def known_legacy(self, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
        """The identity of the old database, which must be the one that was recorded.

        Raises:
            RefusedError: another one answers.
        """
        found = identity(self.legacy)
        if not same_identity(found, recorded):
            raise RefusedError(
                "the old database is not the one that the swap left; correct LEGACY_DATABASE_URL"
            )
        return found

    def lock_legacy(self) -> None:
        """See `lock_and_prove`."""
        lock_and_prove(self.legacy, self.still_ours)

    def unlock_others(self) -> None:
        """See `release_others`."""
        release_others(self.legacy, self.max_hold_seconds, self.still_ours)

    def unlock_legacy(self) -> None:
        """See `release_any_lock`."""
        release_any_lock(self.legacy, self.still_ours)

    def lift_fence(self) -> None:
        """See `ops.write_lock.fence.lift_fence`."""
        lift_fence(self.core, self.ai, self.still_ours)

    def guard(self, core: psycopg.Connection) -> None:
        """Refuse to go on where a newer run has taken over. See `Fence.check`."""
        self.fence.check(core)

    def still_ours(self) -> None:
        """`guard` over a session of its own. Where Core is away no other run can have begun.

        Raises:
            FencedOutError: a newer run has taken over, and settles what this one left.
        """
        with (
            suppress(DatabaseUnavailableError),
            explained(self.core),
            connect(self.core, application_name="guard") as core,
        ):
            self.guard(core)
