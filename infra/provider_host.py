"""The process of our provider: Pulumi's own, but it leaves with the engine that started it.

The engine puts it into a process group of its own and tells it when to stop; an engine that is
killed tells nothing, and the process would stay for ever.
"""

import logging
import os
import runpy
import sys
import threading
import time
import traceback

from ops.errors import SigmaSightError

SECONDS_BETWEEN_LOOKS = 1.0
_trace = traceback.format_exc


def main() -> None:
    """Serve the provider until the engine stops it or is gone."""
    # The engine shows what a provider raises; gRPC would print its traceback before that.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    traceback.format_exc = _said
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


def _said(limit: int | None = None, chain: bool = True) -> str:
    """Pulumi hands the engine the trace of whatever a provider raised. A refusal is one line."""
    error = sys.exc_info()[1]
    return str(error) if isinstance(error, SigmaSightError) else _trace(limit, chain)


def _leave_with(engine: int) -> None:
    while os.getppid() == engine:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    # What is half-made is finished by the next run, as after any kill.
    os._exit(1)


if __name__ == "__main__":
    main()
