"""The pair that users do not reach is asked below an address that nobody else knows."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
from sqlalchemy.engine import URL

from app.gate.gate import BELIEVED_SECONDS
from app.gate.middleware import TRIAL
from ops.backend.pair_fence import pair_fence
from ops.books.active_pair import Pair
from ops.books.gate import Replicas, end_trial, replicas, set_trial, take_over
from ops.connection import session_at
from ops.errors import RefusedError
from ops.waiting import wait_until
from ops.write_lock.fence import is_fenced, lift_fence

# After that the servers take down a fence that could not be put up.
_FENCE_SECONDS = 5.0


def gate_session(
    core: URL, application_name: str = "gate"
) -> AbstractContextManager[psycopg.Connection]:
    """A session in which the gate's row is asked and changed.

    Raises:
        DatabaseUnavailableError: Core does not answer.
    """
    return session_at(core, application_name, autocommit=True)


@contextmanager
def new_pair_at(core: URL, ai: URL, before: Pair, address: str) -> Iterator[str]:
    """Where the new pair answers: at users' address, or while the old one serves there below a
    secret path of it, until the block ends. A fence that a rollback left is lifted so long.

    Raises:
        RefusedError: no backend is at the gate.
    """
    with gate_session(core) as session:
        active = take_over(session, before)
        if active == "new":
            yield address
            return
        word = _word()
        with without_fence(core, ai):
            try:
                yield begin_trial(session, address, active, word)
            finally:
                end_trial(session, _digest(word))


@contextmanager
def without_fence(core: URL, ai: URL) -> Iterator[None]:
    """Lift the fence that a rollback has left, until the block ends."""
    if not is_fenced(core, ai):
        yield
        return
    lift_fence(core, ai)
    try:
        yield
    finally:
        with pair_fence(core, ai) as fence:
            fence.put_up(_FENCE_SECONDS)
            fence.commit()


def begin_trial(
    session: psycopg.Connection, address: str, active: Pair, word: str | None = None
) -> str:
    """Let the pair that is not `active` be asked; below which address.

    Raises:
        RefusedError: no backend is at the gate.
    """
    word = word or _word()
    since = set_trial(session, _digest(word))
    # One that was killed or is cut off is waited for here, until it may not serve any more: in a
    # hold, users would wait for it.
    patience = BELIEVED_SECONDS[active] + 1
    wait_until(lambda: replicas(session, active, since).all_told, patience)
    refuse_none(replicas(session, active))
    return f"{address}{TRIAL}{word}"


def refuse_none(found: Replicas) -> None:
    """See that a backend is at the gate.

    Raises:
        RefusedError: none is.
    """
    if not found.seen:
        raise RefusedError(
            "no backend is at the gate, where its pair could be changed; run `sigmasight up`, or "
            "redeploy yours with the variables of `sigmasight pulumi stack output "
            "backend_environment --show-secrets` (on docker by `sigmasight up --target docker`)"
        )


def _word() -> str:
    return secrets.token_urlsafe(32)


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
