"""Whether the backfill is complete."""

from ops.books.ledger import Ledger
from ops.evidence.finding import Finding

NAME = "backfill complete"


def backfill_complete(ledger: Ledger | None) -> Finding:
    """Days are done, none failed, and every live portfolio has reached the last of them."""
    if ledger is None:
        return Finding(NAME, False, "nothing was computed yet; run `sigmasight backfill`")
    met = ledger.done > 0 and not ledger.failed and not ledger.behind
    counts = (
        f"{ledger.portfolios} portfolios done, {ledger.behind} behind, {ledger.failed} days failed"
    )
    return Finding(NAME, met, counts if met else f"{counts}; run `{backfill_again(ledger)}`")


def backfill_again(ledger: Ledger) -> str:
    """The command that computes what is missing, or has failed, of the days that it spans."""
    return f"sigmasight backfill --first {ledger.first} --last {ledger.last}"
