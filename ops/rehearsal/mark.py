"""How a command knows that it is only rehearsed."""

import os

REHEARSAL = "SIGMASIGHT_REHEARSAL"


def rehearsing() -> bool:
    """Whether this process acts on throw-away instances. What others share with the real move (the
    schedule of its cleanup) is then left alone."""
    return os.environ.get(REHEARSAL) == "1"
