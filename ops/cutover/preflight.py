"""What must hold before a swap."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from ops.books.ledger import last_changes, read_ledger
from ops.books.session import open_books
from ops.books.verifications import last_verification
from ops.carrying.way_back import try_way_back
from ops.connection import first_line
from ops.cutover.connection_room import connections_fit
from ops.cutover.installation import Installation
from ops.cutover.lock_rehearsal import WHOLLY_LOCKED
from ops.cutover.questions import ask_public
from ops.drift import drift_of_pair
from ops.drift.refusal import refuse_drift
from ops.errors import RefusedError, SigmaSightError, VerificationError
from ops.evidence.backfill import backfill_complete
from ops.evidence.finding import Finding
from ops.evidence.verification import verified

ROWS_COME_BACK = "rows come back"


@dataclass(frozen=True)
class SwapAcceptance:
    """What the operator gives up for a swap.

    Attributes:
        rows: of legacy that the new pair may lack.
        one_way: whether legacy may be unable to take back what users will write.
        unlocked: whether it may be written to afterwards where no lock reaches.
        unknown: tables of legacy that nothing of ours knows and that may stay there, by schema and
            name, whatever they hold.
    """

    rows: int = 0
    one_way: bool = False
    unlocked: bool = False
    unknown: Collection[str] = ()

    @property
    def conditions(self) -> set[str]:
        """Those that need not hold."""
        given_up = {ROWS_COME_BACK: self.one_way, WHOLLY_LOCKED: self.unlocked}
        return {condition for condition, accepts in given_up.items() if accepts}


def swap_conditions(installation: Installation) -> list[Finding]:
    """Look at everything that must hold before a swap, and tell each; none hides the others."""
    with open_books(installation.core) as session:
        ledger, changes = read_ledger(session), last_changes(session)
    last = last_verification(installation.settings.state, installation.core)
    expected = installation.settings.backend_expected
    looks = (
        lambda: verified(last, changes, datetime.now(UTC), backend_expected=expected),
        lambda: _no_drift(installation),
        lambda: backfill_complete(ledger),
        lambda: connections_fit(installation),
        lambda: _way_back(installation),
        lambda: _rows_come_back(installation),
    )
    return [_told(installation, look) for look in looks]


def _told(installation: Installation, look: Callable[[], Finding]) -> Finding:
    begun = time.monotonic()
    found = look()
    installation.announce(f"condition: {found.condition}", time.monotonic() - begun)
    return found


def refuse_unmet(
    conditions: Sequence[Finding], accepted: SwapAcceptance, beside: Sequence[str] = ()
) -> None:
    """Let nothing pass that neither holds nor was given up.

    Args:
        beside: what will be refused later, and is better known now too.

    Raises:
        RefusedError: all conditions that do not hold, each in its words.
    """
    given_up = accepted.conditions
    unmet = [one.reason for one in conditions if not (one.met or one.condition in given_up)]
    if unmet:
        raise RefusedError(f"not swapped: {'. And: '.join([*unmet, *beside])}")


def _way_back(installation: Installation) -> Finding:
    """Whatever a rollback will ask of the old backend is asked while that still serves: once legacy
    is locked, nobody can be added to it who could log in."""
    try:
        installation.refuse_strangers()
        ask_public(installation, "old")
    except (SigmaSightError, psycopg.Error) as error:
        said = first_line(error) if isinstance(error, psycopg.Error) else str(error)
        return Finding("way back", False, f"a rollback would be refused: {said}")
    return Finding("way back", True, "the old backend answers what a rollback will ask")


def _rows_come_back(installation: Installation) -> Finding:
    """The old database must take back what users will write, or say now that it will not."""
    try:
        found = try_way_back(installation.core, installation.ai, installation.legacy)
    except SigmaSightError as error:
        return Finding(ROWS_COME_BACK, False, f"whether rows could come back is unknown: {error}")
    untried = "; ".join(f"{table} was not tried: {why}" for table, why in found.untried.items())
    if found.refused:
        refused = "; of ".join(f"{table}: {why}" for table, why in found.refused.items())
        return Finding(
            ROWS_COME_BACK,
            False,
            f"a rollback could not carry back rows of {refused}; correct legacy, or give up what "
            "users will write there by --accept-one-way",
            {"refused": dict(found.refused)},
        )
    return Finding(ROWS_COME_BACK, True, untried or "the old database takes rows back")


def _no_drift(installation: Installation) -> Finding:
    try:
        refuse_drift(drift_of_pair(installation.core, installation.ai))
    except VerificationError as error:
        return Finding("no drift", False, str(error))
    return Finding("no drift", True, "Core and AI are what their chains build")
