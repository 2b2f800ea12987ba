"""The whole `sigmasight rebuild`: with nothing running, with a Prefect server there, and again."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.prefect_server import PrefectServer
from ops.state_folder import StateFolder


def run() -> list[dict[str, Any]]:
    """Time three rebuilds in folders of their own."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        Path(folder).chmod(0o711)
        first, second = Path(folder) / "first", Path(folder) / "second"
        try:
            cold = _timed(first)
            api = {"PREFECT_API_URL": str(PrefectServer(StateFolder(first)).api_url)}
            warm = _timed(second, api)
            again = _timed(second, api)
        finally:
            for home in (second, first):
                _command(home, "down")
    return [
        {"benchmark": "rebuild, nothing running", "ours_seconds": cold},
        {"benchmark": "rebuild, Prefect server there", "ours_seconds": warm},
        {"benchmark": "rebuild again, nothing to do", "ours_seconds": again},
    ]


def _timed(home: Path, environment: Mapping[str, str] | None = None) -> float:
    started = time.perf_counter()
    _command(home, "rebuild", environment)
    return round(time.perf_counter() - started, 1)


def _command(home: Path, name: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        [sys.executable, "-m", "flows.cli", name],
        env={**os.environ, "SIGMASIGHT_HOME": str(home), **(environment or {})},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
