"""The whole `sigmasight rebuild`: with nothing running, with a Prefect server there, and again; and
the commands that people type most."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from flows.prefect_server import PrefectServer
from ops.books.rebuilds import last_rebuild
from ops.state_folder import StateFolder

_ROUNDS = 3
_AUTOVACUUM_SECONDS = 70


def run() -> list[dict[str, Any]]:
    """Rebuilds in folders of their own; of what changes nothing the median of three."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        Path(folder).chmod(0o711)
        first, second = Path(folder) / "first", Path(folder) / "second"
        try:
            lines = [_line("rebuild, nothing running", first)]
            api = {"PREFECT_API_URL": str(PrefectServer(StateFolder(first)).api_url)}
            lines.append(_line("rebuild, Prefect server there", second, api))
            lines.append(_line("rebuild again, nothing to do", second, api, _ROUNDS))
            time.sleep(_AUTOVACUUM_SECONDS)
            lines.append(_line("the same after autovacuum", second, api, _ROUNDS))
            lines += [_typed(words, second, api) for words in ("--help", "status")]
        finally:
            for home in (second, first):
                _seconds(home, "down")
    return lines


def _line(
    name: str, home: Path, environment: Mapping[str, str] | None = None, rounds: int = 1
) -> dict[str, Any]:
    """With the seconds of its phases; CPU is the command's own, without its servers."""
    line = _typed("rebuild", home, environment, rounds)
    last = last_rebuild(StateFolder(home))
    assert last is not None
    phases = {phase: round(seconds, 1) for phase, seconds in last.seconds.items()}
    return line | {"benchmark": name, "phases": phases}


def _typed(
    words: str, home: Path, environment: Mapping[str, str] | None = None, rounds: int = _ROUNDS
) -> dict[str, Any]:
    taken = [_seconds(home, words, environment) for _ in range(rounds)]
    wall, cpu = (round(median(column), 2) for column in zip(*taken, strict=True))
    return {"benchmark": f"sigmasight {words}", "ours_seconds": wall, "cpu_seconds": cpu}


def _seconds(
    home: Path, words: str, environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Of the clock and of the CPU. Compiled code is kept, as it is where no variable forbids it."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "flows.cli", words],
        env={**kept, "SIGMASIGHT_HOME": str(home), **(environment or {})},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu
