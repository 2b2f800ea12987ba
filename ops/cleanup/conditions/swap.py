"""Conditions on the swap, on time, and on what else goes on."""

from datetime import timedelta

from ops.books.cutovers import last_cutover
from ops.books.run_lock import under_way
from ops.books.verifications import last_verification
from ops.carrying.changes import renewed_since_swap
from ops.cleanup.dates import cleanup_moment
from ops.cleanup.facts import Facts
from ops.connection import session_at
from ops.evidence import SEVEN_DAYS, verification
from ops.evidence.finding import Finding


def swap_holds(facts: Facts) -> Finding:
    """The record and the home of the active pair both say that the new pair serves."""
    name = "swap in force"
    pair, swap = facts.scene.active(), facts.swap
    known = {"cutover": swap.id, "ended_at": str(swap.ended_at)}
    evidence = {**known, "active_pair": pair}
    if pair != "new":
        reason = "the record says that Core and AI serve, the active pair says old; swap again"
        return Finding(name, False, reason, evidence)
    reason = f"swap {swap.id} of {swap.ended_at:%Y-%m-%d %H:%M}, active pair {pair}"
    return Finding(name, True, reason, evidence, pinned=known)


def no_cutover_running(facts: Facts) -> Finding:
    """No swap and no rollback was begun that has not ended."""
    running = last_cutover(facts.scene.core, "running")
    if running is None:
        return Finding("no swap or rollback under way", True, "none is recorded as running")
    reason = f"a {running.kind} was begun and has not ended; run `sigmasight {running.kind}`"
    return Finding("no swap or rollback under way", False, reason, {"cutover": running.id})


def nothing_running(facts: Facts) -> Finding:
    """No phase and no rebuild works on Core. While a cleanup executes, it holds their locks."""
    name = "nothing else running"
    if facts.ours:
        return Finding(name, True, "this run holds the phases' locks")
    with session_at(facts.scene.core, "cleanup") as session:
        found = under_way(session)
    if found:
        reason = f"another {' and '.join(found)} works on Core; wait until it is done"
        return Finding(name, False, reason)
    return Finding(name, True, "no phase and no rebuild holds its lock")


def same_pair(facts: Facts) -> Finding:
    """Core and AI are those that the swap left: who lost one and made it anew may want back what
    only the old database has."""
    name, renewed = "the pair of the swap", renewed_since_swap(facts.scene.core, facts.scene.ai)
    if not renewed:
        return Finding(name, True, "no table of users was restored or made anew since the swap")
    reason = (
        f"{', '.join(renewed)} of the new pair was restored or made anew since the swap; run "
        "`sigmasight rollback --blind`, which brings back what is there, and swap again"
    )
    return Finding(name, False, reason)


def seven_days(facts: Facts) -> Finding:
    """The swap has been in force for seven days."""
    age = facts.scene.now - facts.swapped_at
    reason = f"{_days(age)} days since the swap"
    met = age >= SEVEN_DAYS
    advice = "" if met else f"; wait until {facts.swapped_at + SEVEN_DAYS:%Y-%m-%d %H:%M} UTC"
    return Finding(
        "seven days since the swap", met, reason + advice, {"days": _days(age)}, waits=not met
    )


def date_reached(facts: Facts) -> Finding:
    """The set day has come, in New York."""
    moment = cleanup_moment(facts.swapped_at, facts.scene.given_date)
    met = facts.scene.now >= moment
    reason = f"{moment:%Y-%m-%d %H:%M} in New York {'has passed' if met else 'is still to come'}"
    evidence = {"moment": moment.isoformat()}
    return Finding("date reached", met, reason, evidence, pinned=evidence, waits=not met)


def verified(facts: Facts) -> Finding:
    """See `ops.evidence.verification`."""
    scene = facts.scene
    return verification.verified(
        last_verification(scene.state, scene.core),
        facts.changes,
        scene.now,
        backend_expected=scene.backend_expected,
    )


def _days(age: timedelta) -> float:
    return round(age / timedelta(days=1), 2)
