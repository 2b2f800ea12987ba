"""`swap` and `rollback --export FILE` as the flows of that name carry them out, without Prefect."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.backend import supervised
from ops.backend.child import BACKEND
from ops.books.run_lock import exclusive_run
from ops.cutover import preflight
from ops.cutover.embedded_switch import EmbeddedSwitch
from ops.cutover.installation import Installation
from ops.cutover.rollback import Acceptance, rollback
from ops.cutover.swap import swap
from ops.endpoints import resolve_endpoints
from ops.errors import SigmaSightError
from ops.processes import spawn
from ops.settings import operator_settings

_PRELOADED = "tests.faults.cutover.preloaded"


def main() -> None:
    """Carry out a command of the state folder that the environment names; `serve` has the active
    pair served, and one of the new pair stand by."""
    _have_backends_preloaded()
    preflight.drift_of_pair = lambda *_: ()  # not what a kill is about, and a second each time
    settings = operator_settings()
    endpoints = resolve_endpoints(settings)
    switch = EmbeddedSwitch(settings, os.environ["PREFECT_API_URL"])
    try:
        if sys.argv[1] == "serve":
            switch.serve_active()
            switch.stage("new")
            return
        with exclusive_run(endpoints.core) as fence:
            installation = Installation(settings, endpoints, switch, fence)
            if sys.argv[1] == "swap":
                swap(installation)
            else:
                rollback(installation, Acceptance(export=Path(sys.argv[-1])))
    except SigmaSightError as error:
        sys.exit(f"error: {error}")


def _have_backends_preloaded() -> None:
    supervised.spawn = _preloaded
    supervised._SUPERVISOR_SECONDS = 120.0  # it imports the application first


def _preloaded(
    words: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """What the product would start, with the application in memory."""
    program = [sys.executable, "-P", "-m", _PRELOADED, supervised._SUPERVISOR, BACKEND]
    return spawn([*program, words[-1]], environment, log)
