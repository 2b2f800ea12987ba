"""`up` starts again what has run in a state folder before."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.commands import servers
from flows.worker import Worker
from ops.settings import operator_settings
from ops.state_folder import StateFolder


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is started, in a state folder of its own."""
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path))
    operator_settings.cache_clear()
    names: list[str] = []
    monkeypatch.setattr(servers, "flow_named", lambda name: lambda *_: names.append(name))
    monkeypatch.setattr(Worker, "start", lambda _: names.append("worker"))
    yield names
    operator_settings.cache_clear()


@pytest.mark.parametrize(
    ("known", "again"),
    [
        ([], ["provision"]),
        (["backend"], ["provision", "serve"]),
        (["worker"], ["provision", "worker"]),
        (["worker", "backend"], ["provision", "serve", "worker"]),
    ],
)
def test_up_starts_what_ran(
    started: list[str], tmp_path: Path, known: list[str], again: list[str]
) -> None:
    for name in known:
        StateFolder(tmp_path).write(name, {"name": "one", "pid": 0})
    servers._bring_up(None, "up")
    assert started == again
