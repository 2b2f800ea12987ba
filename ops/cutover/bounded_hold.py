"""The time in which users wait: it has an end, whatever stalls."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from ops.books.active_pair import Pair
from ops.books.cutovers import first_words
from ops.cutover.installation import Installation
from ops.cutover.steps import Steps
from ops.cutover.switch import Hold
from ops.errors import RefusedError, SigmaSightError
from ops.open_connections import closed_at


@contextmanager
def bounded_hold(
    installation: Installation,
    steps: Steps,
    leads_to: Pair,
    restore: Callable[[Hold], None],
    core: psycopg.Connection,
    *others: psycopg.Connection,
) -> Iterator[Hold]:
    """Hold requests while the block runs, for `max_hold_seconds` at most: the switch serves again
    by itself then, and what the block waits for is given up. Where requests cannot be held, what
    the block does on the databases has that time.

    Args:
        restore: undoes what the block did, where it fails.
        core, others: what the block works with, opened before anybody waits.

    Raises:
        RefusedError: users would have waited longer.
    """
    holds, most = installation.switch.loses_nothing, installation.max_hold_seconds
    begun = time.monotonic()
    try:
        with ExitStack() as stack:
            hold = installation.hold()
            held = steps.run("hold requests", lambda: stack.enter_context(hold))
            try:
                steps.core = core
                with closed_at((begun if holds else time.monotonic()) + most, [core, *others]):
                    yield held
            except BaseException:
                restore(held)
                raise
            finally:
                steps.core = None
    except (SigmaSightError, psycopg.Error) as error:
        if not holds or time.monotonic() - begun < most:
            raise
        raise RefusedError(_too_long(installation, leads_to, error)) from None


def _too_long(installation: Installation, leads_to: Pair, error: Exception) -> str:
    most, why = installation.max_hold_seconds, first_words(error)
    if installation.switch.active() == leads_to:
        return (
            f"the {leads_to} pair serves, but the rest was not done within {most:g} s ({why}); run "
            "the command again to finish it"
        )
    # However late this process came to know of it.
    verb = "swapped" if leads_to == "new" else "rolled back"
    return (
        f"not {verb}, users waited {most:.1f} s ({why}); try again when less goes on, or let them "
        "wait longer by --max-hold"
    )
