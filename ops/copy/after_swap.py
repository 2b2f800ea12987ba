"""Until when legacy is the truth that a copy may carry over."""

from sqlalchemy.engine import URL

from ops.cutover.record import swap_in_force
from ops.errors import RefusedError


def refuse_after_swap(core_url: URL) -> None:
    """Let nothing be copied once users write to the new pair: legacy would set their rows back.

    Raises:
        RefusedError: a swap is in force.
    """
    if swap_in_force(core_url) is not None:
        raise RefusedError(
            "the swap is in force: users write to the new pair, and a copy would set their rows "
            "back; run `sigmasight rollback` first if that is what you want"
        )
