"""A swap or rollback that was killed is finished, or undone, by the next command that needs it."""

from ops.active_pair import Pair
from ops.cutover.access import begin_window
from ops.cutover.blind import settle_blind_rollback
from ops.cutover.lock_legacy import lock_at_once, open_again
from ops.cutover.move import Move
from ops.cutover.record import end_cutover, last_cutover


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
        lock_at_once(move)
    else:
        open_again(move)
    move.switch.serve_active()
    move.switch.retire("old" if active == "new" else "new")
    if active == "new":
        begin_window(move.core, move.legacy)
