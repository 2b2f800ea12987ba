"""What must hold before a swap."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ops.books.ledger import last_changes, read_ledger
from ops.books.session import open_books
from ops.books.verifications import last_verification
from ops.cutover.installation import Installation
from ops.drift import drift_of_pair
from ops.drift.refusal import refuse_drift
from ops.errors import RefusedError, VerificationError
from ops.evidence.backfill import backfill_complete
from ops.evidence.finding import Finding
from ops.evidence.verification import verified


def swap_conditions(installation: Installation) -> list[Finding]:
    """Look at everything that must hold before a swap; none hides the others."""
    with open_books(installation.core) as session:
        ledger, changes = read_ledger(session), last_changes(session)
    last = last_verification(installation.settings.state, installation.core)
    expected = installation.settings.backend_expected
    return [
        verified(last, changes, datetime.now(UTC), backend_expected=expected),
        _no_drift(installation),
        backfill_complete(ledger),
    ]


def refuse_unmet(conditions: Sequence[Finding]) -> None:
    """Let nothing pass that does not hold.

    Raises:
        RefusedError: the first condition that does not hold, in its words.
    """
    unmet = [condition for condition in conditions if not condition.met]
    if unmet:
        more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        raise RefusedError(f"not swapped: {unmet[0].reason}{more}")


def _no_drift(installation: Installation) -> Finding:
    try:
        refuse_drift(drift_of_pair(installation.core, installation.ai))
    except VerificationError as error:
        return Finding("no drift", False, str(error))
    return Finding("no drift", True, "Core and AI are what their chains build")
