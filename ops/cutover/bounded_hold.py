"""The time in which users wait: it has an end, whatever stalls."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from ops.books.active_pair import Pair
from ops.books.cutovers import first_words
from ops.cutover.installation import Installation
from ops.cutover.recovery import settle
from ops.cutover.steps import Steps
from ops.cutover.switch import Hold
from ops.errors import DatabaseUnavailableError, FencedOutError, RefusedError, SigmaSightError
from ops.open_connections import closed_at

# Of the time that users may wait; the rest is for undoing.
_GIVEN_UP = 0.9


@contextmanager
def bounded_hold(
    installation: Installation,
    steps: Steps,
    leads_to: Pair,
    restore: Callable[[Hold], None],
    core: psycopg.Connection,
    *others: psycopg.Connection,
) -> Iterator[Hold]:
    """Once streams have had their time, hold requests while the block runs, for `max_hold_seconds`
    at most: the switch serves again by itself then. What the block waits for is given up shortly
    before, so that it is undone while all still wait; where the pair had changed and it is too late
    for that, what is left is done without a hold, and the block ends as if it had succeeded.

    Args:
        restore: undoes what the block did, where it fails.
        core, others: what the block works with, opened before anybody waits.

    Raises:
        RefusedError: users would have waited longer.
        FencedOutError: a newer run has taken over, so nothing was undone here.
    """
    given_up = math.inf
    try:
        with ExitStack() as stack:
            streams, hold = installation.ending_streams(), installation.hold()
            steps.run("end streams", lambda: stack.enter_context(streams))
            given_up = time.monotonic() + installation.max_hold_seconds * _GIVEN_UP
            held = steps.run("hold requests", lambda: stack.enter_context(hold))
            try:
                steps.core = core
                with closed_at(given_up, [core, *others]):
                    yield held
            except BaseException:
                installation.still_ours()
                restore(held)
                raise
            finally:
                steps.core = None
    except FencedOutError:
        raise
    except (SigmaSightError, psycopg.Error) as error:
        if time.monotonic() < given_up:
            raise
        if installation.switch.active() != leads_to:
            raise RefusedError(_too_long(installation, leads_to, error)) from None
        # Users are served from it already, and what is left needs no hold.
        settle(installation, leads_to)


def _too_long(installation: Installation, leads_to: Pair, error: Exception) -> str:
    # A connection that went away was closed by us.
    closed = isinstance(error, DatabaseUnavailableError | psycopg.OperationalError)
    why = "something did not end in that time" if closed else first_words(error)
    most = installation.max_hold_seconds
    # However late this process came to know of it.
    verb = "swapped" if leads_to == "new" else "rolled back"
    return (
        f"not {verb}, users waited {most:.1f} s ({why}); try again when less goes on, or let them "
        "wait longer by --max-hold"
    )
