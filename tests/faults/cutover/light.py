"""`swap` and `rollback --export FILE` as the flows of that name carry them out, without Prefect."""

import sys
from pathlib import Path

from flows.backend import start_backend
from ops.backend.supervised import SupervisedBackend
from ops.books.run_lock import exclusive_run
from ops.cutover import preflight
from ops.cutover.gate_switch import GateSwitch
from ops.cutover.installation import Installation
from ops.cutover.rollback import Acceptance, rollback
from ops.cutover.swap import swap
from ops.endpoints import resolve_endpoints
from ops.errors import SigmaSightError
from ops.settings import operator_settings


def main() -> None:
    """Carry out a command of the state folder that the environment names; `serve` has the backend
    serve."""
    preflight.drift_of_pair = lambda *_: ()  # not what a kill is about, and a second each time
    settings = operator_settings()
    endpoints = resolve_endpoints(settings)
    switch = GateSwitch(
        endpoints.core,
        endpoints.legacy,
        "old",
        SupervisedBackend(settings.state).address,
        lambda: start_backend(settings).wait(),
    )
    try:
        if sys.argv[1] == "serve":
            switch.serve_active()
            return
        with exclusive_run(endpoints.core) as fence:
            installation = Installation(settings, endpoints, switch, fence)
            if sys.argv[1] == "swap":
                swap(installation)
            else:
                rollback(installation, Acceptance(export=Path(sys.argv[-1])))
    except SigmaSightError as error:
        sys.exit(f"error: {error}")
