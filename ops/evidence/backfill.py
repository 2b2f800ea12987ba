"""Whether the backfill is complete."""

from ops.books.ledger import Ledger
from ops.evidence.finding import Finding

NAME = "backfill complete"
_ADVICE = "run `sigmasight backfill`"


def backfill_complete(ledger: Ledger | None) -> Finding:
    """Days are done, none failed, and every live portfolio has reached the last of them."""
    if ledger is None:
        return Finding(NAME, False, f"nothing was computed yet; {_ADVICE}")
    met = ledger.done > 0 and not ledger.failed and not ledger.behind
    counts = (
        f"{ledger.portfolios} portfolios done, {ledger.behind} behind, {ledger.failed} days failed"
    )
    return Finding(NAME, met, counts if met else f"{counts}; {_ADVICE}")
