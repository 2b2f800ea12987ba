"""The way back when Core or AI is lost: nobody can say what it costs, and Core cannot record it."""

import logging
import time
from datetime import UTC, datetime

import psycopg

from ops.books.cutovers import BLIND, Cutover, begin_cutover, end_cutover, first_words
from ops.books.session import open_books
from ops.carrying.changes import (
    bring_to_ai,
    changes_since_swap,
    forget_missing,
    refuse_renewed,
)
from ops.carrying.export import keep_changes
from ops.carrying.import_file import import_losses
from ops.carrying.rollback_price import price_of
from ops.connection import explained, writing_session
from ops.cutover.installation import Installation
from ops.cutover.questions import ask_public, ask_staged, names
from ops.cutover.steps import CutoverReport, Steps
from ops.database_identity import identity, same_identity
from ops.errors import (
    BadInputError,
    ConfigurationError,
    DatabaseUnavailableError,
    RefusedError,
    SigmaSightError,
)
from ops.evidence.cutovers import LEFT_BLINDLY, left_blindly, refuse_removed, swap_in_force
from ops.waiting import wait_until
from ops.write_lock.lock import (
    LOCKING,
    begin_release,
    lock_and_prove,
    lock_state,
    release_any_lock,
)

_log = logging.getLogger(__name__)
# Until each backend has given up asking a lost Core, and looked at the lock.
_NOTICED_SECONDS = 30.0


def refuse_priced(blind: bool, *unusable: object) -> None:
    """See that a blind rollback is not told what only a priced one can heed.

    Raises:
        BadInputError: it is.
    """
    if blind and any(unusable):
        raise BadInputError("a blind rollback knows no price; give --blind alone")


def roll_back_blindly(installation: Installation) -> CutoverReport:
    """Serve from the old database although the new pair cannot be asked what users wrote to it.

    Their rows are neither priced nor exported; they stay in what is left of Core and AI. Core
    learns of it from the next swap or rollback. A killed run is ended by the next one.

    Raises:
        RefusedError: the price can be told, or the old database bears no lock of a swap.
    """
    with installation.settings.state.lock("blind_rollback", wait=False):
        active = installation.switch.active()
        if active == "old" and not _is_locked(installation):
            installation.switch.serve_active()
            return CutoverReport("old", False, installation.switch.public_address())
        _refuse_needless(installation)
        _refuse_stranger(installation)
        installation.settings.state.write(LEFT_BLINDLY, {"legacy": identity(installation.legacy)})
        steps = Steps(lambda _step, _core: None, installation.announce)
        # A Core that was made anew says that the old pair serves, and goes by nobody's word.
        told = active == "new" and _core_answers(installation)
        held = (_change if told else _unlock)(installation, steps)
    address, now = installation.switch.public_address(), datetime.now(UTC)
    return CutoverReport("old", True, address, held, steps.seconds, ended_at=now, refused=not told)


def settle_blind_rollback(installation: Installation) -> str | None:
    """Record in Core, which answers again, that the old pair was gone back to without it; where a
    blind rollback was killed before that, lock legacy again. What was done, or None."""
    begun = installation.settings.state.read(LEFT_BLINDLY)
    if not begun:
        return None
    installation.known_legacy(begun["legacy"])
    swapped, done = swap_in_force(installation.core), "undone"
    _tell_gate(installation)
    if installation.switch.active() == "old":
        done = "recorded"
        release_any_lock(installation.legacy)  # one that was killed after the pair had changed
        if swapped is not None:
            _record(installation, swapped)
    elif swapped is not None:
        lock_and_prove(installation.legacy)
    installation.settings.state.write(LEFT_BLINDLY, {})
    return f"a blind rollback was {done}"


def refuse_unsettled(installation: Installation) -> None:
    """See that what is looked at is no pair that was left blindly; whether it was, the lock says.

    Raises:
        RefusedError: it is, and Core does not know yet.
    """
    if left_blindly(installation.settings.state) and not _is_locked(installation):
        raise RefusedError(
            "a blind rollback is not recorded yet, nor brought back what users had written before "
            "it; run `sigmasight rollback`, which does both and changes no pair"
        )


def _record(installation: Installation, swapped: Cutover) -> None:
    stay = _bring_back(installation)
    record = begin_cutover(installation.core, "rollback", BLIND, swapped.legacy, stay)
    end_cutover(installation.core, record, "done", {}, reason="blind: its price was not known")


def _bring_back(installation: Installation) -> int:
    """Have the old database, in which users work again, hold what they had written since the swap,
    by way of a file. What contradicts their work there stays in it, and is the next swap's price:
    how many rows."""
    with changes_since_swap(installation.core, installation.ai) as changes:
        forget_missing(changes)
        if not price_of(changes).total:
            return 0
        bring_to_ai(changes)
        path = keep_changes(changes, installation.settings.state.root, "blind-rollback")
    brought = import_losses(path, installation.legacy, installation.legacy)
    _log.warning(
        "of what users wrote to the new pair, %d rows were brought back, and %d contradict the old "
        "database; all stay in %s",
        brought.written,
        brought.conflicts,
        path,
    )
    return brought.conflicts


def _tell_gate(installation: Installation) -> None:
    """Have the row say what backends have gone by while they could not read it."""
    if installation.switch.active() == "new" and not _is_locked(installation):
        with installation.hold() as held:
            held.flip("old")
            held.release()


def _core_answers(installation: Installation) -> bool:
    try:
        with open_books(installation.core):
            return True
    except (DatabaseUnavailableError, ConfigurationError):  # its server, or itself, is gone
        return False


def _is_locked(installation: Installation) -> bool:
    return lock_state(installation.legacy).any_locked


def _refuse_needless(installation: Installation) -> None:
    try:
        with changes_since_swap(installation.core, installation.ai) as changes:
            refuse_renewed(changes)
            price = price_of(changes)
    except (SigmaSightError, psycopg.Error) as error:
        installation.announce(f"without a price ({first_words(error)})", 0.0)
        return
    refuse_removed(installation.core)
    raise RefusedError(
        f"not rolled back blindly: Core and AI answer, and users would lose {price.total} rows; "
        "run `sigmasight rollback` without --blind"
    )


def _refuse_stranger(installation: Installation) -> None:
    """Only the old database of the swap bears its lock; or bore it, until a blind rollback that was
    killed took it off."""
    known = installation.settings.state.read(LEFT_BLINDLY).get("legacy")
    ours = known and same_identity(known, identity(installation.legacy))
    if not _is_locked(installation) and not ours:
        raise RefusedError(
            "the old database bears no lock of a swap, so it may be another one; correct "
            "LEGACY_DATABASE_URL"
        )


def _change(installation: Installation, steps: Steps) -> float:
    """AI alone is lost, so Core is told. There is nothing to go back to: once the pair has changed
    it stays so."""
    try:
        _stage(installation, steps)
        legacy, most = installation.legacy, installation.max_hold_seconds
        with (
            explained(legacy),
            writing_session(legacy, LOCKING) as unlocking,
            installation.hold() as held,
        ):
            steps.run("unlock legacy", lambda: begin_release(unlocking, most))
            steps.run("flip", lambda: held.flip("old"))
            steps.run("open legacy", unlocking.commit)
            seconds = steps.run("release", held.release)
    finally:
        if installation.switch.active() == "new":
            installation.switch.retire("old")
    steps.run("ask the public address", lambda: ask_public(installation, "old"))
    installation.switch.retire("new")
    return seconds


def _unlock(installation: Installation, steps: Steps) -> float:
    """Backends that cannot read Core go by the lock, so that is all there is to take off. The first
    that has seen it lets users write, while another may still answer as before, so it stays off
    then, whatever fails; where none has, they read Core, and it is put on again. A proxy asks them
    by turns."""
    begun, old = time.monotonic(), list[bool]()

    def all_serve_old() -> bool:
        now = [_serves_old(installation) for _ in range(2 * installation.settings.replicas)]
        old.extend(now)
        return all(now)

    try:
        steps.run("unlock legacy", lambda: release_any_lock(installation.legacy))
        _start_absent(installation)
        wait_until(all_serve_old, _NOTICED_SECONDS)
        steps.run("ask the public address", lambda: ask_public(installation, "old"))
    except BaseException as error:
        if not any(old):
            lock_and_prove(installation.legacy)
            raise
        raise RefusedError(
            f"the old database is open, and users work in it, but {first_words(error)}; see that "
            "every backend reaches it"
        ) from error
    return time.monotonic() - begun


def _serves_old(installation: Installation) -> bool:
    try:
        return names(installation, "old")
    except RefusedError:  # whoever starts does not answer yet
        return False


def _start_absent(installation: Installation) -> None:
    """One that does not run had nobody to serve: Core is lost, and the old database was locked."""
    try:
        installation.switch.public_address()
    except DatabaseUnavailableError:
        installation.switch.serve_active()


def _stage(installation: Installation, steps: Steps) -> None:
    address = steps.run("stage the old backend", lambda: installation.switch.stage("old"))
    steps.run("ask it", lambda: ask_staged(installation, address, "old"))
