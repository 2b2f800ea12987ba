"""Which swap is in force, and what that forbids."""

from collections.abc import Sequence

from sqlalchemy.engine import URL

from ops.books.cutovers import Cutover, last_cutover
from ops.books.tombstones import cleaned_up
from ops.errors import RefusedError
from ops.state_folder import StateFolder

# Of the state folder: the old database of a blind rollback that Core does not know of.
LEFT_BLINDLY = "blind_rollback"


def in_force(known: Sequence[Cutover]) -> Cutover | None:
    """The finished swap since which no rollback has finished, if any.

    Args:
        known: swaps and rollbacks, newest first.
    """
    last = next((one for one in known if one.state == "done"), None)
    return last if last is not None and last.kind == "swap" else None


def swap_in_force(core: URL) -> Cutover | None:
    """`in_force` of what Core records."""
    last = last_cutover(core, "done")
    return in_force([last] if last is not None else [])


def left_blindly(state: StateFolder) -> bool:
    """Whether a blind rollback is still to be recorded in Core."""
    return bool(state.read(LEFT_BLINDLY))


def users_may_write_to_new(core: URL) -> bool:
    """Whether a swap is in force, or a killed swap or rollback may have left the new pair active.
    The caller holds the phases' lock, so what is not ended was killed."""
    return last_cutover(core, "running") is not None or swap_in_force(core) is not None


def refuse_removed(core: URL) -> None:
    """Let nothing be asked of an old database that is no more.

    Raises:
        RefusedError: a cleanup has removed it, or is about to.
    """
    tombstone = cleaned_up(core)
    if tombstone is not None and tombstone.state == "running":
        raise RefusedError(
            "a cleanup is removing the old database; finish it by `sigmasight cleanup --execute "
            f"--plan-id {tombstone.plan_id}`"
        )
    if tombstone is not None:
        raise RefusedError(
            f"the old database was removed by a cleanup on {tombstone.begun_at:%d %B %Y}; there "
            "is nothing to roll back to, restore a backup instead"
        )


def refuse_after_swap(core: URL) -> None:
    """Let nothing be copied once users write to the new pair: legacy would set their rows back.
    The caller holds the phases' lock.

    Raises:
        RefusedError: a swap is in force, or may be.
    """
    refuse_removed(core)
    left = last_cutover(core, "running")
    if left is not None:
        raise RefusedError(
            f"a {left.kind} was killed at '{left.step}', so users may write to the new pair, and a "
            f"copy would set their rows back; run `sigmasight {left.kind}` again, which ends it"
        )
    if swap_in_force(core) is not None:
        raise RefusedError(
            "the swap is in force: users write to the new pair, and a copy would set their rows "
            "back; run `sigmasight rollback` first if that is what you want"
        )
