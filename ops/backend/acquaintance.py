"""Whether the backends at the gate have the very databases that a command works on."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
from sqlalchemy.engine import URL

from ops.books.active_pair import Pair
from ops.books.gate import Half, end_trial, met, set_trial
from ops.connection import connect, explained
from ops.errors import RefusedError
from ops.waiting import wait_until

# No user waits for this. A busy backend may have no connection left for seconds, and a killed one
# may serve, for all that is known, until it has been silent for long enough.
_PATIENCE_SECONDS = 20.0
Found = Sequence[Collection[Half] | None]
_ADVICE: Mapping[Half, str] = {
    "old": "have another old database than this command; give them its address as "
    "LEGACY_DATABASE_URL, or this command theirs",
    "ai": "have another AI database than this command; give them its address as AI_DATABASE_URL, "
    "or this command theirs",
}


def refuse_strangers(
    session: psycopg.Connection, active: Pair, halves: Mapping[Half, URL], at_least: int
) -> None:
    """See that all backends are at the gate of this Core, and that each has these databases too.
    No name or number of a database tells it from a copy of it, so each backend looks in its own for
    a lock that this command holds there.

    Args:
        at_least: how many backends there must be.

    Raises:
        RefusedError: one is not here, or has other databases, or does not say it.
    """
    digest = secrets.token_hex(32)
    with _present(halves, digest):
        set_trial(session, digest)
        try:
            wait_until(
                lambda: _have_said(met(session, active, digest), at_least), _PATIENCE_SECONDS
            )
            found = met(session, active, digest)
        finally:
            end_trial(session, digest)
    if strange := _strange(found, halves, at_least):
        raise RefusedError(strange)


@contextmanager
def _present(halves: Mapping[Half, URL], digest: str) -> Iterator[None]:
    """In each database hold a lock that this digest tells; in a transaction, for poolers."""
    key = int.from_bytes(bytes.fromhex(digest[:16]), signed=True)
    with ExitStack() as sessions:
        for url in halves.values():
            sessions.enter_context(explained(url))
            there = sessions.enter_context(connect(url, application_name="gate"))
            there.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        yield


def _have_said(found: Found, at_least: int) -> bool:
    return len(found) >= at_least and None not in found


def _strange(found: Found, halves: Mapping[Half, URL], at_least: int) -> str | None:
    if len(found) < at_least:
        return (
            f"{len(found)} of {at_least} backends are at the gate; redeploy those that are not, or "
            "correct BACKEND_REPLICAS"
        )
    if None in found:
        silent = found.count(None)
        return (
            f"{silent} of {len(found)} backends do not say which databases they have; redeploy "
            "them from this release"
        )
    for half in halves:
        others = sum(half not in (seen or ()) for seen in found)
        if others:
            return f"{others} of {len(found)} backends {_ADVICE[half]}"
    return None
