"""Legacy is locked and proven locked, or opened again, as the steps of a cutover need it."""

from ops.connection import connect, explained
from ops.cutover.move import Move
from ops.cutover.write_lock import lock_state, lock_writes, prove_locked, release_lock


def lock_at_once(move: Move) -> None:
    """Lock legacy in a transaction of its own, and prove it from another session. Twice is once."""
    with explained(move.legacy), connect(move.legacy, application_name="cutover lock") as lock:
        lock_writes(lock)
        prove_locked(lock)
    prove_from_outside(move)


def prove_from_outside(move: Move) -> None:
    """Try to write from a session that did not make the lock.

    Raises:
        RefusedError: a write went through.
    """
    with explained(move.legacy), connect(move.legacy, application_name="cutover proof") as session:
        prove_locked(session)
        session.rollback()


def open_again(move: Move) -> None:
    """Release whatever is locked, if anything is."""
    if lock_state(move.legacy).any_locked:
        release_lock(move.legacy)
