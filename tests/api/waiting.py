"""Waiting for what the backend does after its response."""

from typing import Any

from ops.waiting import wait_until


def eventually(condition: Any, seconds: float = 40) -> None:
    assert wait_until(condition, seconds, pause=0.02), "it does not happen"
