"""How the supervised backends of these tests are started, and what is waited for."""

import os
from collections.abc import Callable

from ops.waiting import wait_until

APPLICATION = "tests.integration.serving.small_application:app"
ENVIRONMENT = {"PATH": os.environ["PATH"], "ACTIVE_PAIR": "old"}


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition, which must come true."""
    assert wait_until(condition, seconds, pause=0.02), "it does not happen"
