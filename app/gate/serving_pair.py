"""From which pair what runs now is answered: a request, and whatever it starts."""

from contextvars import ContextVar
from typing import Literal

Pair = Literal["old", "new"]


def other_pair(pair: Pair) -> Pair:
    """The one that `pair` is not."""
    return "old" if pair == "new" else "new"


# Tasks inherit it from what starts them. None: the process serves one pair, and knows no other.
serving_pair: ContextVar[Pair | None] = ContextVar("serving_pair", default=None)
