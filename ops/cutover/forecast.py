"""For how long requests will wait, told by what was seen before any does."""

from collections.abc import Mapping

from ops.errors import RefusedError

LOCKED = "lock legacy"
# While requests wait → the steps before that did the same.
_SEEN_AS = {
    "final delta": ("first delta", "delta again"),
    "parity and price": ("first parity", "parity again"),
}


def forecast(lock_seconds: float, seconds: Mapping[str, float]) -> dict[str, float]:
    """Step → how long it will take at least. Each is taken to be as fast as it ever was, and what
    was not seen yet to take no time: a hold has an end anyway, so what might fit is not refused.

    Args:
        lock_seconds: of the lock's rehearsal.
        seconds: of the steps until now.
    """
    found = {LOCKED: lock_seconds}
    for step, before in _SEEN_AS.items():
        found[step] = min(seconds[name] for name in before if name in seconds)
    return found


def fits(predicted: Mapping[str, float], most_seconds: float) -> bool:
    """Whether a hold of so many seconds may be long enough."""
    return sum(predicted.values()) <= most_seconds


def in_words(predicted: Mapping[str, float]) -> str:
    """The one figure, and what it is made of."""
    steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in predicted.items())
    return f"users would wait {sum(predicted.values()):.2f} s or longer ({steps})"


def refuse_long_hold(predicted: Mapping[str, float], most_seconds: float) -> None:
    """Let nobody wait for a swap that would not be one.

    Raises:
        RefusedError: the hold would take longer.
    """
    if fits(predicted, most_seconds):
        return
    raise RefusedError(
        f"not swapped: {in_words(predicted)}, and may for {most_seconds:.2f} s; swap when less is "
        "written, or let them wait longer by --max-hold"
    )
