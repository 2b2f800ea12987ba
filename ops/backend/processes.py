"""Processes of ours, found again by their number."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

SUPERVISOR = "ops.backend.supervisor"
BACKEND = "app.serving"


def our_process(pid: int | None, program: str, root: Path) -> psutil.Process | None:
    """The running process of a state folder. A stranger whom its number has passed to is none."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or process.status() == psutil.STATUS_ZOMBIE:
            return None
        ours = process.environ().get("SIGMASIGHT_HOME") == str(root)
        return process if ours and program in process.cmdline() else None
    except psutil.Error:
        return None


def end(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Ask processes to end; kill those that have not after some seconds."""
    asked = list(processes)
    for process in asked:
        _tell(process, kill=False)
    _, alive = psutil.wait_procs(asked, timeout=seconds)
    for process in alive:
        _tell(process, kill=True)
    psutil.wait_procs(alive, timeout=seconds)


def _tell(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()
