"""Waiting for what the backend does after its response."""

import time
from typing import Any


def eventually(condition: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.02)
