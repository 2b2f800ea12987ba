"""Asking the backend at its public address which pair it serves from."""

import time
from collections.abc import Callable

import httpx

from ops.books.active_pair import Pair
from ops.errors import SigmaSightError
from ops.http_answer import is_loopback

PAIR_HEADER = "X-SigmaSight-Pair"
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
# While a platform replaces instances, answers of both come by turns.
_ANSWERS_IN_A_ROW = 3


class NotServedError(SigmaSightError):
    """The backend does not serve from the pair that it should."""


def answer_of(address: str) -> httpx.Response | None:
    """What the backend says of its readiness, over a connection of its own; None while nobody
    answers."""
    try:
        return httpx.get(
            f"{address}/ready", timeout=_PATIENCE_SECONDS, trust_env=not is_loopback(address)
        )
    except httpx.HTTPError:
        return None


def serves(answer: httpx.Response | None, pair: Pair) -> bool:
    """Whether it was a ready backend of `pair`."""
    return answer is not None and answer.is_success and answer.headers.get(PAIR_HEADER) == pair


def await_pair(
    address: str, pair: Pair, seconds: float, tell: Callable[[str], None], every: float = 30.0
) -> None:
    """Wait until the backend is ready and serves from `pair`.

    Args:
        tell: is told now and then what answers, and how long it has been.

    Raises:
        NotServedError: it does not within `seconds`.
    """
    begun = told = time.monotonic()
    in_a_row = 0
    while in_a_row < _ANSWERS_IN_A_ROW:
        answer = answer_of(address)
        in_a_row = in_a_row + 1 if serves(answer, pair) else 0
        waited = time.monotonic() - begun
        if in_a_row == 0 and waited > seconds:
            raise NotServedError(
                f"{address} did not serve from the {pair} pair within {seconds:.0f} s: "
                f"{_described(answer)}"
            )
        if in_a_row == 0 and time.monotonic() - told >= every:
            told = time.monotonic()
            tell(f"{waited:.0f} of {seconds:.0f} s: {address} {_described(answer)}")
        if in_a_row == 0:
            time.sleep(_PAUSE_SECONDS)


def _described(answer: httpx.Response | None) -> str:
    if answer is None:
        return "does not answer"
    named = answer.headers.get(PAIR_HEADER)
    if named is None:
        return f"answers {answer.status_code} without naming its pair"
    state = "" if answer.is_success else ", not ready"
    return f"serves from the {named} pair{state}"
