"""The fence of the new pair as a rollback puts it up: before the price is told, for good once the
pair has changed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import URL

from ops.connection import end_in_time, explained, writing_session
from ops.database_identity import identity_in
from ops.user_tables import USER_TABLES
from ops.write_lock.fence import fence_off, tables_to_fence
from ops.write_lock.lock import LOCKING
from ops.write_lock.tables import UserRelation


@dataclass(frozen=True)
class PairFence:
    """An open transaction on each half: a kill before the pair has changed leaves no fence.

    Attributes:
        halves: a session of each database, and the tables that users own there.
    """

    halves: list[tuple[psycopg.Connection, list[UserRelation]]]

    @property
    def sessions(self) -> list[psycopg.Connection]:
        """One of each database."""
        return [session for session, _ in self.halves]

    def put_up(self, most_seconds: float) -> None:
        """Let nobody write to users' tables. Raises what `fence_off` raises.

        Args:
            most_seconds: after that the servers take it down, unless it was committed.
        """
        for session, tables in self.halves:
            end_in_time(session, most_seconds)
            fence_off(session, tables)

    @contextmanager
    def taken_down_on_failure(self) -> Iterator[None]:
        """Where the block fails, what was not committed goes before anything else is undone."""
        try:
            yield
        except BaseException:
            for session in self.sessions:
                with suppress(psycopg.Error):  # lost, and so is its fence
                    session.rollback()
            raise

    def commit(self) -> None:
        """Let it stay until it is lifted."""
        for session in self.sessions:
            session.commit()


@contextmanager
def pair_fence(core: URL, ai: URL) -> Iterator[PairFence]:
    """What a fence needs. Whoever lifts one ends the sessions of a run that was stopped."""
    with (
        explained(core),
        explained(ai),
        writing_session(core, LOCKING) as core_session,
        writing_session(ai, LOCKING) as ai_session,
    ):
        halves = [(core_session, _tables(core_session))]
        if identity_in(ai_session) != identity_in(core_session):
            halves.append((ai_session, _tables(ai_session)))
        for session in (core_session, ai_session):
            session.commit()
        yield PairFence(halves)


def _tables(session: psycopg.Connection) -> list[UserRelation]:
    return tables_to_fence(session, {table.name for table in USER_TABLES})
