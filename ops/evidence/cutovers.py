"""Which swap is in force, and what that forbids."""

from collections.abc import Sequence

from sqlalchemy.engine import URL

from ops.books.cutovers import Cutover, last_cutover
from ops.errors import RefusedError


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


def refuse_after_swap(core: URL) -> None:
    """Let nothing be copied once users write to the new pair: legacy would set their rows back.

    Raises:
        RefusedError: a swap is in force.
    """
    if swap_in_force(core) is not None:
        raise RefusedError(
            "the swap is in force: users write to the new pair, and a copy would set their rows "
            "back; run `sigmasight rollback` first if that is what you want"
        )
