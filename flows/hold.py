"""What users saw of a hold: the requests around it, told and drawn."""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.backend.seen_requests import SeenRequest, requests_between

_AROUND_SECONDS = 10.0


@dataclass
class HoldWatch:
    """Is told of each step that has ended, tells it on, and keeps when requests waited.

    Attributes:
        begun, ended: seconds of the epoch; None where nobody waited yet.
    """

    tell: Callable[[str, float], None]
    begun: float | None = None
    ended: float | None = None

    def __call__(self, step: str, seconds: float) -> None:
        """A step has ended, after so many seconds."""
        self.tell(step, seconds)
        if step == "hold requests":
            self.begun = time.time() - seconds
        if step == "release":
            self.ended = time.time()


def hold_lines(log: Path | None, watch: HoldWatch) -> list[str]:
    """Markdown: how many requests waited, how they ended, and a picture of them; nothing where the
    backend's log is not here."""
    if log is None or watch.begun is None or watch.ended is None:
        return []
    try:
        around = requests_between(log, watch.begun - _AROUND_SECONDS, watch.ended + _AROUND_SECONDS)
    except OSError:
        return []
    return _told(around, watch.begun, watch.ended)


def _told(around: Sequence[SeenRequest], begun: float, ended: float) -> list[str]:
    waited = [one for one in around if one.came <= ended and one.came + one.seconds >= begun]
    if not waited:
        return ["No request came while it was held."]
    # Only here, because drawing takes a second to import.
    from flows.plots import plot_hold

    failed = sum(one.status >= 500 for one in waited)
    longest = max(one.seconds for one in waited)
    picture = b64encode(plot_hold(around, begun, ended)).decode()
    return [
        f"{len(waited)} requests were under way or waited meanwhile: {failed or 'none'} failed, "
        f"the longest took {longest:.2f} s.",
        "",
        f"![requests around the hold](data:image/png;base64,{picture})",
    ]
