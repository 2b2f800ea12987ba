"""Conditions on what others do with the old database: nothing."""

from datetime import timedelta

from ops.cleanup.database import others
from ops.cleanup.facts import Facts
from ops.connection import session_at
from ops.evidence import SEVEN_DAYS
from ops.evidence.finding import Finding
from ops.legacy_access.account import AccessEvidence
from ops.waiting import wait_until

# A session of ours that has just ended is seen for a moment longer.
_LINGER_SECONDS = 2.0
# By how much the clocks of two servers may differ.
_CLOCKS = timedelta(minutes=5)


def no_connections(facts: Facts) -> Finding:
    """Nobody is connected, and nothing prepared, replicated or subscribed holds on to it."""
    name, url = "no connections", facts.maintenance_url
    database = facts.legacy_url.database or ""
    with session_at(url, "cleanup", autocommit=True) as session:
        wait_until(lambda: not others(session, database), _LINGER_SECONDS, pause=0.1)
        found = others(session, database)
    if found:
        reason = f"{len(found)} use it: {', '.join(found)}; end or drop them"
        return Finding(name, False, reason, {"found": found})
    return Finding(name, True, "no session, prepared transaction, slot or subscription")


def writes_locked(facts: Facts) -> Finding:
    """Every table of it has been refusing writes since the swap."""
    name, lock = "writes locked", facts.legacy.lock
    evidence = {"state": lock.state, "tables": lock.tables, "since": str(lock.since)}
    if lock.state != "locked" or lock.since is None:
        open_ones = ", ".join(lock.unlocked[:3]) or "every table"
        reason = f"it can be written to ({open_ones}); run `sigmasight swap` to lock it again"
        return Finding(name, False, reason, {**evidence, "unlocked": list(lock.unlocked)})
    if lock.since > facts.swapped_at + _CLOCKS:
        reason = f"it was locked again at {lock.since:%Y-%m-%d %H:%M} UTC, after the swap; "
        return Finding(name, False, reason + "find out who released it, and swap again", evidence)
    reason = f"all {lock.tables} tables, since {lock.since:%Y-%m-%d %H:%M} UTC"
    return Finding(name, True, reason, evidence, pinned={"since": str(lock.since)})


def no_writes(facts: Facts) -> Finding:
    """The server's counters show no write of somebody else since the swap."""
    name, access = "no writes since the swap", facts.access
    if not access.known:
        return _unknown(name, access)
    evidence = {"writes": access.writes, "rollbacks": access.rollbacks}
    if access.writes:
        reason = f"{access.writes:,} rows or tables were written ({_tables(access)}); find out who"
        return Finding(name, False, reason, evidence)
    return Finding(name, True, f"none counted since {access.since:%Y-%m-%d %H:%M} UTC", evidence)


def no_reads(facts: Facts) -> Finding:
    """The server's counters show no read of somebody else for seven days."""
    name, access = "no reads since the swap", facts.access
    if not access.known or access.since is None:
        return _unknown(name, access)
    age = facts.scene.now - access.since
    evidence = {
        "since": str(access.since),
        "reads": access.reads,
        "rows_read": access.rows_read,
        "sessions": access.sessions,
        "own_accesses": access.accesses,
    }
    if access.reads or access.rows_read:
        reason = f"{access.reads:,} reads by others ({_tables(access)}); find out who"
        return Finding(name, False, reason, evidence)
    if access.standbys:
        reason = f"{access.standbys} servers follow it, whose readers are not counted; detach them"
        return Finding(name, False, reason, evidence)
    if age < SEVEN_DAYS:
        reason = f"none, but counted only since {access.since:%Y-%m-%d %H:%M} UTC; wait seven days"
        return Finding(name, False, reason, evidence, waits=True)
    reason = f"none counted since {access.since:%Y-%m-%d %H:%M} UTC, {access.accesses} of our own"
    return Finding(name, True, reason, evidence)


def _unknown(name: str, access: AccessEvidence) -> Finding:
    """What is not known is not met. The next access of ours begins a new account."""
    advice = "; it is counted anew from now on" if access.restarts else ""
    return Finding(name, False, f"not known: {access.reason}{advice}", {"reason": access.reason})


def _tables(access: AccessEvidence) -> str:
    return ", ".join(sorted(access.tables))
