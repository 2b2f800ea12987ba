"""Whether Core and AI count as verified."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ops.books.verifications import Verification
from ops.evidence import GOOD_FOR
from ops.evidence.finding import Finding

NAME = "verified"
_ADVICE = "run `sigmasight verify`"


def verified(
    last: Verification | None,
    changes: Mapping[str, datetime],
    now: datetime,
    *,
    backend_expected: bool,
) -> Finding:
    """No check failed, some passed, within a day, and nothing changed the data since.

    Args:
        last: the last verification from here; None where there was none.
        changes: when each act last changed what it looked at.
        backend_expected: whether a backend is ours to ask; then a verification that asked none is
            no evidence.
    """
    if last is None:
        reason = f"this Core was never verified from here; {_ADVICE}"
        return Finding(NAME, False, reason, waits=True)
    evidence = {"at": last.at.isoformat(), "passed": last.passed, "failed": last.failed}
    if last.failed or not last.passed:
        reason = f"{last.failed} checks failed, {last.passed} passed; mend that and {_ADVICE}"
        return Finding(NAME, False, reason, evidence)
    if doubt := _doubt(last, changes, now, backend_expected=backend_expected):
        return Finding(NAME, False, f"{doubt}; {_ADVICE}", evidence, waits=True)
    hours = (now - last.at) / timedelta(hours=1)
    return Finding(NAME, True, f"{last.passed} checks passed {hours:.1f} hours ago", evidence)


def _doubt(
    last: Verification,
    changes: Mapping[str, datetime],
    now: datetime,
    *,
    backend_expected: bool,
) -> str | None:
    """Why checks that passed say too little; None where they say enough."""
    later = [act for act in changes if changes[act] > last.at]
    since = max(later, key=lambda act: changes[act], default=None)
    if since is not None:
        return f"the verification is older than the last {since}"
    if not timedelta(0) <= now - last.at <= GOOD_FOR:
        return f"the verification of {last.at:%Y-%m-%d %H:%M} UTC is not of the last 24 hours"
    if backend_expected and not last.asked_backend:
        return "the verification asked no backend, though one is ours to ask; see that it runs"
    return None
