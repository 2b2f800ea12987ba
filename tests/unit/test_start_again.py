"""`up` starts again what has run in a state folder before; a step that `down` cuts off does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from flows.commands import servers
from flows.retrying import phase_task
from flows.worker import Worker
from ops.errors import DatabaseUnavailableError
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


@pytest.mark.usefixtures("started")
def test_a_step_that_down_has_cut_off_is_not_tried_again() -> None:
    step = phase_task("bring servers up")(lambda: None)
    cut_off = Failed(data=DatabaseUnavailableError("the server went away"))

    def again() -> object:
        assert step.retry_condition_fn is not None
        return step.retry_condition_fn(step, TaskRun.model_construct(), cut_off)

    assert again()
    servers.down()
    assert not again()
