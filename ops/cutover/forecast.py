"""For how long requests will wait, told by what was seen before any does."""

from collections.abc import Mapping

from ops.books.cutovers import Kind
from ops.errors import RefusedError

LOCKED, COMPARED, CARRIED = "lock legacy", "parity and price", "carry the rest back"
# While requests wait → the steps before that did the same.
_SEEN_AS = {
    "final delta": ("first delta", "delta again"),
    COMPARED: ("first parity", "parity again"),
    CARRIED: ("carry back", "carry again"),
}


def forecast(seconds: Mapping[str, float], **rehearsed: float) -> dict[str, float]:
    """Step → how long it will take at least. Each is taken to be as fast as it ever was, and what
    was not seen yet to take no time: a hold has an end anyway, so what might fit is not refused.

    Args:
        seconds: of the steps until now.
        rehearsed: of steps that were tried by themselves.
    """
    found = dict(rehearsed)
    for step, before in _SEEN_AS.items():
        if seen := [seconds[name] for name in before if name in seconds]:
            found[step] = min(seen)
    return found


def fits(predicted: Mapping[str, float], most_seconds: float) -> bool:
    """Whether a hold of so many seconds may be long enough."""
    return sum(predicted.values()) <= most_seconds


def in_words(predicted: Mapping[str, float]) -> str:
    """The one figure, and what it is made of."""
    steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in predicted.items())
    return f"users would wait {sum(predicted.values()):.2f} s or longer ({steps})"


def refuse_long_hold(kind: Kind, predicted: Mapping[str, float], most_seconds: float) -> None:
    """Let nobody wait for a cutover that would not be one.

    Raises:
        RefusedError: the hold would take longer.
    """
    if fits(predicted, most_seconds):
        return
    done, again = _VERBS[kind]
    raise RefusedError(
        f"not {done}: {in_words(predicted)}, and may for {most_seconds:.2f} s; {again} when less "
        "is written, or let them wait longer by --max-hold"
    )


_VERBS: Mapping[Kind, tuple[str, str]] = {
    "swap": ("swapped", "swap"),
    "rollback": ("rolled back", "roll back"),
}
