"""A rollback after ever more was written since the swap: for how long requests are held, against a
bare change of the pair that does nothing on the old database."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from flows.cutover import current_switch
from flows.prefect_server import PrefectServer
from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair
from ops.books.run_lock import exclusive_run
from ops.connection import connect
from ops.cutover.follow import follow, swap_to_follow
from ops.cutover.installation import Installation
from ops.cutover.rollback import rollback
from ops.cutover.steps import CutoverReport
from ops.cutover.swap import swap
from ops.cutover.switch import Switch
from ops.endpoints import resolve_endpoints
from ops.settings import OperatorSettings
from ops.status import checklist

MESSAGES = (0, 10_000, 200_000)
MOST_HELD_SECONDS, MOST_SUPERVISOR_MIB, MOST_STATUS_SECONDS = 2.0, 60.0, 2.0
_BARE = 3
# Of one user, a thousand messages a conversation.
_CHATS = """
INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at, metadata)
SELECT gen_random_uuid(), (SELECT id FROM users ORDER BY email LIMIT 1), 'green', 'openai',
       now(), now(), '{"benchmark": true}'
FROM generate_series(1, %s / 1000)
"""
_MESSAGES = """
INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
SELECT gen_random_uuid(), c.id, 'user', repeat('what are my holdings? ', 10), '[]', now()
FROM agent_conversations AS c CROSS JOIN generate_series(1, 1000)
WHERE c.metadata = '{"benchmark": true}'
  AND NOT EXISTS (SELECT FROM agent_messages AS m WHERE m.conversation_id = c.id)
"""


def run() -> list[dict[str, Any]]:
    """Time bare changes of the pair, then a swap and a rollback for each number of messages."""
    with rebuilt() as settings:
        with moving(settings) as installation:
            floor = statistics.median(_there_and_back_bare(installation) for _ in range(_BARE))
        lines = [_bare(floor)]
        for count in MESSAGES:
            lines += [_undone(settings, count, floor, followed=each) for each in (False, True)]
        return [*lines, _supervisor(settings), _status(settings)]


def _undone(
    settings: OperatorSettings, count: int, floor: float, *, followed: bool
) -> dict[str, Any]:
    """A rollback of a swap after which users wrote so many messages."""
    with moving(settings) as installation:
        swap(installation)
        chat(installation.core, count)
        begun, last = time.perf_counter(), swap_to_follow(installation.core)
        if followed and last is not None:
            follow(installation, last, datetime.max.replace(tzinfo=UTC))
        seconds = time.perf_counter() - begun
        back = rollback(installation)
    name = f"rollback, held, {count:,} messages written since the swap"
    more = f", followed in {seconds:.1f} s" if followed else ""
    whole = sum(back.seconds.values())
    return {**_line(f"{name}{more}", back, floor), "whole_seconds": round(whole, 1)}


def _line(name: str, report: CutoverReport, floor: float) -> dict[str, Any]:
    steps = {step: round(seconds, 3) for step, seconds in report.seconds.items()}
    return {
        "benchmark": name,
        "ours_seconds": round(report.held_seconds, 3),
        "peer_seconds": round(floor, 3),
        "ratio": round(report.held_seconds / floor, 1),
        "at_most": MOST_HELD_SECONDS,
        "steps": steps,
    }


def _bare(floor: float) -> dict[str, Any]:
    name = f"floor: a bare change of the pair, held, median of {_BARE}"
    return {"benchmark": name, "peer_seconds": round(floor, 3)}


def _there_and_back_bare(installation: Installation) -> float:
    """From the old pair to the new one and back; the seconds held on the way there."""
    seconds = _change(installation, "new", "old")
    _change(installation, "old", "new")
    return seconds


def _change(installation: Installation, pair: Pair, other: Pair) -> float:
    installation.switch.stage(pair)
    with installation.hold() as held:
        held.flip(pair)
        seconds = held.release()
    installation.switch.retire(other)
    return seconds


def chat(serving: URL, more: int) -> None:
    """Add so many messages of a user, in conversations of a thousand."""
    with connect(serving, application_name="benchmark") as session:
        session.execute(_CHATS, [more])
        session.execute(_MESSAGES)


def _supervisor(settings: OperatorSettings) -> dict[str, Any]:
    process = SupervisedBackend(settings.state).supervisor()
    assert process is not None
    mib = round(process.memory_info().rss / 2**20, 1)
    return {"benchmark": "supervisor, resident", "mib": mib, "at_most": MOST_SUPERVISOR_MIB}


def _status(settings: OperatorSettings) -> dict[str, Any]:
    api = PrefectServer(settings.state).api_url
    started = time.perf_counter()
    checklist(settings, api)
    seconds = round(time.perf_counter() - started, 2)
    return {"benchmark": "status", "ours_seconds": seconds, "at_most": MOST_STATUS_SECONDS}


@contextmanager
def moving(settings: OperatorSettings, switch: Switch | None = None) -> Iterator[Installation]:
    """The installation of a home, for one command; by default with that home's own switch."""
    endpoints = resolve_endpoints(settings)
    with exclusive_run(endpoints.core) as fence:
        yield Installation(settings, endpoints, switch or current_switch(settings), fence)


@contextmanager
def rebuilt() -> Iterator[OperatorSettings]:
    """A rebuilt system, rolled back to the old pair."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-bench-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        try:
            _command(home, "rebuild")
            _command(home, "rollback")
            yield OperatorSettings.model_validate({"SIGMASIGHT_HOME": home})
        finally:
            _command(home, "down")


def _command(home: Path, name: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "flows.cli", name],
        env={**os.environ, "SIGMASIGHT_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
