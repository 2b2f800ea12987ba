"""What follows a cutover that went wrong: a killed one is finished or undone, one whose public
answers were wrong is taken back."""

import logging
from datetime import UTC, datetime

from ops.books.active_pair import Pair
from ops.books.cutovers import end_cutover, last_cutover
from ops.carrying.export import export_losses
from ops.carrying.rollback_price import rollback_price
from ops.cutover.blind import settle_blind_rollback
from ops.cutover.move import Move
from ops.legacy_access.account import begin_window
from ops.write_lock.lock import lock_and_prove, release_any_lock


def recover(move: Move) -> str | None:
    """Bring a killed swap or rollback to an end; what was done, or None where none was left.

    The active pair decides: where it has changed already the rest is done, else what was done is
    undone. The caller holds the phases' lock, so nobody is still at it.
    """
    left = last_cutover(move.core, "running")
    if left is None:
        return settle_blind_rollback(move)
    active = move.switch.active()
    finishes = active == left.leads_to
    _settle(move, active)
    reason = f"killed at: {left.step}"
    end_cutover(move.core, left.id, "done" if finishes else "undone", left.timings, reason=reason)
    verb = "finished" if finishes else "undone"
    return f"a {left.kind} that was killed at '{left.step}' was {verb}"


def _settle(move: Move, active: Pair) -> None:
    """Legacy is locked exactly where the new pair serves; only the active pair's backend stays."""
    if active == "new":
        lock_and_prove(move.legacy)
    else:
        release_any_lock(move.legacy)
    move.switch.serve_active()
    move.switch.retire("old" if active == "new" else "new")
    if active == "new":
        begin_window(move.core, move.legacy)


_log = logging.getLogger(__name__)


def undo_swap(move: Move) -> None:
    """Serve from legacy again after a swap whose public answers were wrong. What users wrote in
    those moments is kept in a file, which is logged."""
    with move.switch.hold(move.stream_seconds) as held:
        _keep(move)
        release_any_lock(move.legacy)
        held.flip("old")
        held.release()
    move.switch.retire("new")


def undo_rollback(move: Move) -> None:
    """Serve from the new pair again after a rollback whose public answers were wrong."""
    with move.switch.hold(move.stream_seconds) as held:
        lock_and_prove(move.legacy)
        held.flip("new")
        held.release()
    move.switch.retire("old")


def _keep(move: Move) -> None:
    if not rollback_price(move.core, move.ai).total:
        return
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = move.settings.state.root / f"undone-swap-{moment}.jsonl.gz"
    export_losses(move.core, move.ai, path)
    _log.warning("what users wrote meanwhile is in %s; `sigmasight import` reads it", path)
