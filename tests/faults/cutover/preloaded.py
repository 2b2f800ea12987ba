"""A supervisor whose backends are forks of itself: the same processes that the product's would be,
without the seconds in which each of them imports the application.

    python -P -m tests.faults.cutover.preloaded ops.backend.supervisor app.serving FOLDER

By the first two words it and its backends are told from strangers.
"""

import gc
import logging
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NoReturn

import uvicorn.lifespan.on
import uvicorn.loops.asyncio
import uvicorn.protocols.http.h11_impl

import app.application
import app.serving.server
from ops.backend import child, supervisor
from ops.backend.child import BACKEND

__all__ = ["app", "uvicorn"]
_MOST_DESCRIPTORS = 4096


class Fork:
    """A backend as `subprocess.Popen` would start it."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        pass_fds: Sequence[int],
        **_as_here: Any,
    ) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(env)
            _become(words[words.index(BACKEND) :], pass_fds)

    def poll(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(words: Sequence[str], descriptors: Sequence[int]) -> NoReturn:
    """Forget the supervisor, whose frames are still below, and never return to them."""
    code = 1
    try:
        os.setsid()
        gc.freeze()  # what lies there must not close descriptors that are used anew
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for last, kept in pairwise([2, *sorted(descriptors), _MOST_DESCRIPTORS]):
            os.closerange(last + 1, kept)
        logging.root.handlers.clear()
        sys.argv = list(words)
        runpy.run_module(BACKEND, run_name="__main__", alter_sys=True)
        code = 0
    except BaseException:
        logging.exception("the backend ends")
    finally:
        os._exit(code)


if __name__ == "__main__":
    child.subprocess = SimpleNamespace(Popen=Fork, DEVNULL=subprocess.DEVNULL)
    sys.argv = [__file__, sys.argv[-1]]
    supervisor.main()
