"""How the supervised backends of these tests are started, and what is waited for."""

import os
import time
from collections.abc import Callable

APPLICATION = "tests.integration.serving.small_application:app"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for a condition, which must come true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.02)
