"""Swaps and rollbacks while fifty users read, log in, write and chat with a model that takes four
seconds for an answer: what became of each request, and for how long some waited."""

import os
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from benchmarks.cutover import chat, moving, rebuilt
from flows.cutover import current_switch
from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair
from ops.connection import connect, conninfo
from ops.cutover.gate_switch import GateSwitch
from ops.cutover.plan import ROLLBACK_STEPS, SWAP_STEPS
from ops.cutover.rollback import rollback
from ops.cutover.steps import CutoverReport
from ops.cutover.swap import swap
from ops.endpoints import resolve_endpoints
from ops.settings import OperatorSettings
from tests.api.backend import backend_process
from tests.faults.cutover.load import Load
from tests.faults.cutover.slow_model import slow_model
from tests.integration.cutover.by_turns import by_turns

MOST_HELD_SECONDS = 1.0
ROUNDS = 3
MESSAGES, TABLES = (1_000, 200_000), (10, 2_000)
_BETWEEN = 300  # requests that are answered before the next change
Opened = Callable[[OperatorSettings], AbstractContextManager[tuple[OperatorSettings, GateSwitch]]]
_TABLE = "CREATE TABLE others.table_{} (id bigint PRIMARY KEY, content text)"


def run() -> list[dict[str, Any]]:
    """For each target, length of history and number of tables that are not ours: three swaps and
    rollbacks. `SIGMASIGHT_BENCH_CELLS`, a regular expression, chooses some of them by their names.
    By default readers ask as fast as they are answered, which leaves a small machine no rest; with
    `SIGMASIGHT_BENCH_LOOK_SECONDS` each looks that long at what it got.
    `SIGMASIGHT_BENCH_HOME` names a home that serves the old pair instead, of a stack on Docker for
    example: that is moved there and back, as it is."""
    home = os.environ.get("SIGMASIGHT_BENCH_HOME")
    if home:
        settings = OperatorSettings.model_validate({"SIGMASIGHT_HOME": home})
        return _under_load(settings, current_switch(settings), "as it is")
    targets: dict[str, Opened] = {"embedded": _embedded, "two backends": _two_backends}
    return [line for target, opened in targets.items() for line in _at_each_size(target, opened)]


def _at_each_size(target: str, opened: Opened) -> list[dict[str, Any]]:
    sizes = {
        f"{target}, {messages:,} messages, {tables:,} more tables": (messages, tables)
        for messages in MESSAGES
        for tables in TABLES
    }
    chosen = [
        name for name in sizes if re.search(os.environ.get("SIGMASIGHT_BENCH_CELLS", ""), name)
    ]
    lines, written = list[dict[str, Any]](), 0
    if not chosen:
        return lines
    with rebuilt() as home, _model(), opened(home) as (settings, switch):
        legacy = resolve_endpoints(settings).legacy
        assert legacy is not None  # the demo's
        for name in chosen:
            messages, tables = sizes[name]
            chat(legacy, messages - written)
            written = messages
            _make_tables(legacy, tables)
            lines += _under_load(settings, switch, name)
    return lines


def _under_load(settings: OperatorSettings, switch: GateSwitch, name: str) -> list[dict[str, Any]]:
    found: dict[Pair, list[tuple[CutoverReport, float]]] = {"new": [], "old": []}
    look = float(os.environ.get("SIGMASIGHT_BENCH_LOOK_SECONDS", "0"))
    with Load(switch.public_address(), settings.demo_password(), look) as load:
        for _ in range(ROUNDS):
            for pair in found:
                before = len(load.answers)
                with moving(settings, switch) as installation:
                    report = swap(installation) if pair == "new" else rollback(installation)
                load.wait_for(_BETWEEN)
                found[pair].append((report, _waited(load, before, pair)))
    endpoints = resolve_endpoints(settings)
    assert endpoints.legacy is not None
    lost: dict[str, Any] = {"requests": len(load.answers), "lost": dict(load.faults())}
    lost["wrong writes"] = len(load.wrongly_written(endpoints.legacy, endpoints.core))
    return [
        {**_line(f"swap, {name}", found["new"], SWAP_STEPS), **lost},
        {**_line(f"rollback, {name}", found["old"], ROLLBACK_STEPS), **lost},
    ]


def _waited(load: Load, before: int, pair: Pair) -> float:
    """From the first request that waited until the first that was answered by that pair. Logins and
    chats are none: one sent before computes its hash first, or waits while streams end."""
    answers = [each for each in load.answers[before:] if each.pair == pair]
    waited = min(each.sent for each in answers if each.kind not in ("login", "chat"))
    return min(each.ended for each in answers) - waited


def _line(
    name: str, found: list[tuple[CutoverReport, float]], steps: tuple[str, ...]
) -> dict[str, Any]:
    held = steps[steps.index("hold requests") : steps.index("release") + 1]
    medians = {
        step: round(statistics.median(report.seconds.get(step, 0.0) for report, _ in found), 3)
        for step in held
    }
    return {
        "benchmark": name,
        "ours_seconds": round(statistics.median(waited for _, waited in found), 3),
        "longest": round(max(waited for _, waited in found), 3),
        "at_most": MOST_HELD_SECONDS,
        "steps": medians,
    }


def _make_tables(legacy: URL, count: int) -> None:
    """As many empty tables of others, in a schema of their own."""
    with connect(legacy, application_name="benchmark", autocommit=True) as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS others")
        there = session.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'others'::regnamespace"
        ).fetchall()
        for number in range(len(there), count):
            session.execute(_TABLE.format(number))
        for number in range(count, len(there)):
            session.execute(f"DROP TABLE others.table_{number}")


@contextmanager
def _model() -> Iterator[None]:
    """A language model for every backend that is started meanwhile."""
    with slow_model() as told, pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        yield


@contextmanager
def _embedded(settings: OperatorSettings) -> Iterator[tuple[OperatorSettings, GateSwitch]]:
    switch = current_switch(settings)
    switch.serve_active()  # told of the model
    yield settings, switch


@contextmanager
def _two_backends(settings: OperatorSettings) -> Iterator[tuple[OperatorSettings, GateSwitch]]:
    """As on a platform: two processes on the same databases, and a proxy before them."""
    SupervisedBackend(settings.state).stop()
    told_of_two = settings.model_copy(update={"BACKEND_REPLICAS": 2})
    endpoints = resolve_endpoints(settings)
    assert endpoints.legacy is not None
    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(endpoints.legacy)}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = []
        for name in ("first", "second"):
            place = Path(folder) / name
            place.mkdir()
            one = backend_process(endpoints.core, endpoints.ai, place, **told)
            urls.append(stack.enter_context(one).answering())
        address = stack.enter_context(by_turns(urls))
        yield told_of_two, GateSwitch(endpoints.core, endpoints.legacy, "old", lambda: address)
