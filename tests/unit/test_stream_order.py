"""A chat's stream is read strictly: whole, in its order, and of one run."""

from collections.abc import Callable

import pytest

from ops.verify.http.exchange import UnusableAnswerError
from ops.verify.http.stream import ServerEvent, require_order
from tests.api.tampering import Frames, of_another_run, renumbered, swapped


def frames() -> Frames:
    names = ["message_created", "start", "token", "token", "token", "done"]
    return [(name, {"type": name, "run_id": "r", "seq": n}) for n, name in enumerate(names)]


def order(found: Frames) -> None:
    require_order([ServerEvent(name, payload) for name, payload in found])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swapped, "goes start, message_created"),
        (lambda found: found[:-1], "… token, not message_created, start … done"),
        (lambda found: [*found, found[2]], "… token, not message_created, start … done"),
        (lambda found: [*found, found[-1]], "has 2 events done"),
        (renumbered, "number 0 after 2"),
        (of_another_run, "of another type or run"),
        (lambda _: [], "goes nowhere"),
    ],
)
def test_what_is_out_of_order_is_no_answer(change: Callable[[Frames], Frames], said: str) -> None:
    order(frames())
    with pytest.raises(UnusableAnswerError, match=said):
        order(change(frames()))
