"""`pulumi up` of the embedded stack, against starting the same servers without it."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.automation import DrivenStack
from infra.pulumi_cli import find_cli
from ops.embedded.databases import EmbeddedDatabases
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

MOST_SECONDS_BEYOND, MOST_SECONDS_UNCHANGED = 10.0, 5.0


def run() -> list[dict[str, Any]]:
    """Time a first `up`, one that finds nothing to do, and a preview."""
    try:
        find_cli()
    except ConfigurationError as error:
        return [{"benchmark": f"pulumi up: skipped, {error}"}]
    with _state() as bare:
        servers = _seconds(EmbeddedDatabases(bare).up)
    with _state() as state:
        # A stack of its own each time, as every command opens it anew.
        first = _seconds(lambda: _stack(state).up())
        unchanged = _seconds(lambda: _stack(state).up())
        preview = _seconds(lambda: _stack(state).preview())
    return [
        {
            "benchmark": "pulumi up, against making the same servers without it",
            "ours_seconds": first,
            "peer_seconds": servers,
            "ratio": round(first / servers, 2),
            "seconds_beyond": round(first - servers, 2),
            "at_most": MOST_SECONDS_BEYOND,
        },
        {
            "benchmark": "pulumi up again, nothing to do",
            "ours_seconds": unchanged,
            "at_most": MOST_SECONDS_UNCHANGED,
        },
        {"benchmark": "pulumi preview, nothing to do", "ours_seconds": preview},
    ]


def _stack(state: StateFolder) -> DrivenStack:
    return DrivenStack(state, "embedded", "embedded", lambda _line: None)


@contextmanager
def _state() -> Iterator[StateFolder]:
    state = StateFolder(Path(tempfile.mkdtemp(prefix="sigmasight-bench-")))
    state.create()
    try:
        yield state
    finally:
        EmbeddedDatabases(state).down()
        shutil.rmtree((state.root / "servers").resolve(), ignore_errors=True)
        shutil.rmtree(state.root)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 2)
