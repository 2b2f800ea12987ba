"""Who accessed legacy since the swap: the server's counters, with our own accesses taken out.

Each access of ours is bracketed by two readings of the counters. What they grew by between one
access and the next, somebody else did. The window begins when the swap has ended and nothing of
ours is connected any more (`begin_window`), and begins anew, with a longer wait, whenever
something happened that the counters cannot tell.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

import psycopg
from sqlalchemy.engine import URL

from ops.books.cutovers import Cutover
from ops.books.legacy_accesses import (
    Counters,
    Moment,
    cut_off,
    hold_alive,
    moments_since_window,
    one_at_a_time,
    record,
)
from ops.connection import connect, shown_address
from ops.database_identity import same_identity
from ops.errors import SigmaSightError
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.counters import (
    UnknownUseError,
    Use,
    look_at,
    use_between,
    wait_for_flush,
)

_log = logging.getLogger(__name__)
_WITHIN: ContextVar[frozenset[str]] = ContextVar(
    "legacy databases being accessed", default=frozenset()
)


@dataclass(frozen=True, kw_only=True)
class AccessEvidence(Use):
    """How others used legacy since the window began; `sigmasight status` is a session of theirs.

    Attributes:
        known: whether the counters tell everything; if not, `reason` says why not, `restarts`
            whether a new window must begin, and the figures mean nothing.
        since: the beginning of the window; None where it is not known.
        standbys: servers that follow this one; what is read there is not counted here.
        accesses: how many of ours were recorded.
    """

    known: bool
    since: datetime | None
    reason: str | None = None
    restarts: bool = False
    standbys: int = 0
    accesses: int = 0


@dataclass
class Access:
    """An access of ours that goes on.

    Attributes:
        ends_with: why a new window begins as it ends; None where none does.
    """

    ends_with: str | None = None


def begin_window(core: URL, legacy: URL) -> None:
    """Begin the window at the end of a swap.

    The backend that served from legacy must have been retired: its sessions' last reads are
    counted when they end, for which this waits a few seconds.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    wait_for_flush(legacy, (), everybody=True)
    restart_window(core, legacy, "the swap ended")


def restart_window(core: URL, legacy: URL, reason: str) -> None:
    """Begin a new window, since what was before cannot be told. Raises as `begin_window`."""
    with one_at_a_time(core) as session:
        record(session, "window", reason, look_at(legacy).counters)


@contextmanager
def recorded_access(core: URL, legacy: URL | None, purpose: str) -> Iterator[Access]:
    """Bracket an access of ours to legacy, so that it is not taken for somebody else's.

    Without legacy, and unless a swap is in force, this does nothing; nor at a standby, whose reads
    its primary does not count. Inside another access it does nothing either, and no window begins
    as it ends. Whatever others read during the block is taken for ours: keep it short, and close
    within it what it opens. Where the record before it has a gap, a new window begins here.

    Raises:
        DatabaseUnavailableError, ConfigurationError: the counters cannot be read; the block is not
            begun. A second reading that fails is only logged: the record then has a gap.
    """
    inside, going_on = _WITHIN.get(), Access()
    if legacy is None or shown_address(legacy) in inside or (swap := swap_in_force(core)) is None:
        yield going_on
        return
    token = _WITHIN.set(inside | {shown_address(legacy)})
    try:
        with _bracketed(core, legacy, purpose, swap, going_on):
            yield going_on
    finally:
        _WITHIN.reset(token)


@contextmanager
def _bracketed(
    core: URL, legacy: URL, purpose: str, swap: Cutover, going_on: Access
) -> Iterator[None]:
    # Not `explained`: what goes wrong in the block is not Core's doing.
    with connect(core, application_name="legacy access", autocommit=True) as alive:
        begun = _begin(core, legacy, purpose, swap, alive)
        try:
            yield
        finally:
            if begun is not None:
                _end(core, legacy, purpose, *begun, going_on.ends_with)


def _begin(
    core: URL, legacy: URL, purpose: str, swap: Cutover, alive: psycopg.Connection
) -> tuple[int, list[int]] | None:
    """Record the beginning; returns its id, and the sessions that were there before. None at a
    standby, where nothing is recorded."""
    with one_at_a_time(core) as session:
        moments, seen = moments_since_window(session), look_at(legacy)
        if seen.counters["follows"]:
            return None
        found = _evidence(session, swap, moments, seen.counters)
        if found.restarts:
            record(session, "window", found.reason or "", seen.counters)
        access = record(session, "before", purpose, seen.counters)
        hold_alive(alive, access)
    return access, [one.pid for one in seen.sessions]


def _end(
    core: URL, legacy: URL, purpose: str, access: int, present: Collection[int], anew: str | None
) -> None:
    try:
        wait_for_flush(legacy, present)
        with one_at_a_time(core) as session:
            counters = look_at(legacy).counters
            record(session, "after", purpose, counters, access)
            if anew is not None:
                record(session, "window", anew, counters)
    except (SigmaSightError, psycopg.Error) as error:
        _log.warning("the access to legacy (%s) could not be recorded: %s", purpose, error)


def access_evidence(core: URL, legacy: URL | None) -> AccessEvidence:
    """What is known of others' use of legacy.

    Raises:
        DatabaseUnavailableError, ConfigurationError: see `ops.connection`.
    """
    if legacy is None:
        return _unknown("there is no old database, or its address is not known")
    swap = swap_in_force(core)
    if swap is None:
        return _unknown("no swap is in force")
    with one_at_a_time(core) as session:
        moments = moments_since_window(session)
        return _evidence(session, swap, moments, look_at(legacy).counters)


def _evidence(
    session: psycopg.Connection, swap: Cutover, moments: Sequence[Moment], now: Counters
) -> AccessEvidence:
    if now["follows"]:
        return _unknown(
            "a standby answers at its address, which counts its own use; name the primary"
        )
    if not moments or moments[0].recorded_at < swap.begun_at:
        return _unknown("no window was begun since the swap", restarts=True)
    if not same_identity(now["identity"], swap.legacy):
        return _unknown("another database than the swap left answers at its address", restarts=True)
    unended = _unended(moments)
    if dead := cut_off(session, [one.id for one in unended]):
        purpose = next(one.purpose for one in unended if one.id in dead)
        return _unknown(f"an access of ours ({purpose}) was cut off", restarts=True)
    try:
        use = _foreign_use(moments, now, going_on=bool(unended))
    except UnknownUseError as error:
        return _unknown(str(error), restarts=True)
    if unended:
        return _unknown(f"an access of ours ({unended[0].purpose}) is going on; ask when it ended")
    return _known(moments, use, now)


def _unended(moments: Sequence[Moment]) -> list[Moment]:
    ended = {one.access for one in moments if one.moment == "after"}
    return [one for one in moments if one.moment == "before" and one.id not in ended]


def _foreign_use(moments: Sequence[Moment], now: Counters, *, going_on: bool) -> Use:
    """What the counters grew by while no access of ours went on."""
    begun = {one.id for one in moments}
    # Accesses that were going on when the window began have their 'before' in an earlier one.
    open_now = {one.access for one in moments if one.moment == "after"} - begun
    use, last = Use(), moments[0].counters
    for one in moments[1:]:
        grown = use_between(last, one.counters)
        use, last = use if open_now else use + grown, one.counters
        open_now = open_now - {one.access} if one.moment == "after" else open_now | {one.id}
    grown = use_between(last, now)
    return use if going_on else use + grown


def _known(moments: Sequence[Moment], use: Use, now: Counters) -> AccessEvidence:
    return AccessEvidence(
        **vars(use),
        known=True,
        since=moments[0].recorded_at,
        standbys=int(now["standbys"]),
        accesses=sum(one.moment == "before" for one in moments),
    )


def _unknown(reason: str, *, restarts: bool = False) -> AccessEvidence:
    return AccessEvidence(known=False, since=None, reason=reason, restarts=restarts)
