"""What follows a cutover that went wrong: a killed one is finished or undone, one whose public
answers were wrong is taken back."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from sqlalchemy.engine import URL

from app.gate.serving_pair import other_pair
from ops.backend.pair_fence import pair_fence
from ops.books.active_pair import Pair
from ops.books.cutovers import Cutover, end_cutover, first_words, last_cutover
from ops.books.tombstones import cleaned_up
from ops.carrying.changes import Changes
from ops.carrying.export import keep_changes
from ops.carrying.rollback_price import RollbackPrice
from ops.connection import connect, explained, writing_session
from ops.cutover.blind import settle_blind_rollback
from ops.cutover.installation import Installation
from ops.database_identity import identity, same_identity
from ops.errors import DatabaseUnavailableError, FencedOutError, RefusedError, SigmaSightError
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.account import begin_window, recorded_access
from ops.write_lock.fence import is_fenced
from ops.write_lock.lock import (
    HOLDING,
    LOCKING,
    LockState,
    begin_release,
    end_sessions,
    lock_state,
    lock_state_in,
)


def recover(installation: Installation) -> str | None:
    """Bring a killed swap or rollback to an end; what was done, or None where none was left.

    The active pair decides: where it has changed already the rest is done, else what was done is
    undone. The caller holds the phases' lock, so nobody is still at it; who has lost that, and was
    stopped, can hold no requests any more.

    Raises:
        RefusedError: the old database is not the one that it was about.
    """
    _end_holds(installation.core)
    left = last_cutover(installation.core, "running")
    if left is None:
        return (
            settle_blind_rollback(installation)
            or _mend_lock(installation)
            or _mend_fence(installation)
        )
    installation.known_legacy(left.legacy)
    active = installation.switch.active()
    finishes = active == left.leads_to
    settle(installation, active)
    reason = f"killed at: {left.step}"
    end_cutover(
        installation.core, left.id, "done" if finishes else "undone", left.timings, reason=reason
    )
    verb = "finished" if finishes else "undone"
    return f"a {left.kind} that was killed at '{left.step}' was {verb}"


def _end_holds(core: URL) -> None:
    with explained(core), connect(core, application_name="recovery") as session:
        end_sessions(session, HOLDING)


def settle(installation: Installation, active: Pair) -> None:
    """Legacy is locked exactly where the new pair serves, which is fenced off where the old one
    does; only the active pair's backend stays."""
    if active == "new":
        installation.lock_legacy()
        installation.lift_fence()
    else:
        _fence_off(installation)
        installation.unlock_legacy()
    installation.switch.serve_active()
    installation.switch.retire(other_pair(active))
    if active == "new":
        begin_window(installation.core, installation.legacy)


def _fence_off(installation: Installation) -> None:
    """Nobody writes to a half that is away, and the users of legacy do not wait for it."""
    with (
        suppress(DatabaseUnavailableError),
        pair_fence(installation.core, installation.ai) as fence,
    ):
        fence.put_up(installation.max_hold_seconds)
        fence.commit()


def _mend_fence(installation: Installation) -> str | None:
    """A rollback that failed could not reach the new pair, which serves again."""
    core, ai = installation.core, installation.ai
    try:
        if installation.switch.active() == "old" or not is_fenced(core, ai):
            return None
    except SigmaSightError:  # whoever needs it will say so
        return None
    installation.lift_fence()
    return "the new pair was opened to writes, since it serves"


def _mend_lock(installation: Installation) -> str | None:
    """Where nothing is recorded as running, lock and pair may still disagree: the answer to a
    commit was lost, or legacy could not be asked when something was undone."""
    legacy, last = installation.endpoints.legacy, _last_of_all(installation)
    if legacy is None or cleaned_up(installation.core):
        return None
    if last is None:
        _refuse_unknown_lock(legacy)
        return None
    try:
        ours = same_identity(identity(legacy), last.legacy)
    except SigmaSightError:  # whoever needs it will say so
        return None
    active = installation.switch.active()
    if not ours or _agree(installation, legacy, active):
        return None
    settle(installation, active)
    return (
        f"legacy was {'locked' if active == 'new' else 'unlocked'}, since the {active} pair serves"
    )


def _refuse_unknown_lock(legacy: URL) -> None:
    """Core knows of no swap: it was made anew, or is another than the one that has swapped."""
    if lock_state(legacy).any_locked:
        raise RefusedError(
            "the old database bears the lock of a swap that Core does not know, as after Core was "
            "lost and made anew; restore Core from its backup, or, if nobody serves from another "
            "Core, run `sigmasight rollback --blind`, which takes the lock off"
        )


def _last_of_all(installation: Installation) -> Cutover | None:
    ended = (last_cutover(installation.core, state) for state in ("done", "undone"))
    return max((one for one in ended if one), key=lambda one: one.id, default=None)


def _agree(installation: Installation, legacy: URL, active: Pair) -> bool:
    if (swap_in_force(installation.core) is None) != (active == "old"):
        return True  # record and pair do not agree either, so that nobody knows which lock is right
    if active == "old":
        return not settled_lock(legacy).any_locked
    with recorded_access(installation.core, legacy, "recovery"):
        return settled_lock(legacy).state == "locked"


def settled_lock(legacy: URL) -> LockState:
    """How legacy is locked, once nobody who was stopped can change that any more."""
    with explained(legacy), writing_session(legacy, LOCKING) as session:
        end_sessions(session, LOCKING)
        return lock_state_in(session)


_log = logging.getLogger(__name__)


@contextmanager
def undone_on_failure(
    installation: Installation, undo: Callable[[Installation], None]
) -> Iterator[None]:
    """Take the change of the pair back where the block fails.

    Raises:
        RefusedError: it failed, and could not be taken back either, so that the change stands.
    """
    try:
        yield
    except BaseException as error:
        try:
            undo(installation)
        except FencedOutError:
            raise
        except SigmaSightError as other:
            raise RefusedError(
                f"the pair has changed, and stays so, but {first_words(error)} (undoing it: "
                f"{other}); give the same command again, which finishes it"
            ) from error
        raise


def undo_swap(installation: Installation) -> None:
    """Serve from legacy again after a swap whose public answers were wrong. What users wrote in
    those moments is carried back; the rest is kept in a file, which is logged."""
    installation.still_ours()
    legacy, most = installation.legacy, installation.max_hold_seconds
    with (
        pair_fence(installation.core, installation.ai) as fence,
        explained(legacy),
        writing_session(legacy, LOCKING) as unlocking,
        installation.hold() as held,
    ):
        fence.put_up(most)
        _keep(installation)
        begin_release(unlocking, most)
        held.flip("old")
        fence.commit()
        unlocking.commit()
        held.release()
    installation.switch.retire("new")


def undo_rollback(installation: Installation) -> None:
    """Serve from the new pair again after a rollback whose public answers were wrong."""
    with installation.hold() as held:
        installation.lock_legacy()
        installation.lift_fence()
        held.flip("new")
        held.release()
    installation.switch.retire("old")


def _keep(installation: Installation) -> None:
    with installation.carrying() as carrying:
        carrying.carry_back(partial(_export_rest, installation), guard=installation.guard)


def _export_rest(installation: Installation, changes: Changes, price: RollbackPrice) -> None:
    if not price.total:
        return
    path = keep_changes(changes, installation.settings.state.root, "undone-swap")
    _log.warning(
        "what users wrote meanwhile, and the old database cannot hold, is in %s; "
        "`sigmasight import` reads it",
        path,
    )
