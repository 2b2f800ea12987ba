"""Stacks of the real engine, each in a state folder of its own."""

import gc
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.chain_folders import PROJECT_ROOT
from infra.automation import DrivenStack
from infra.pulumi_cli import find_cli
from ops.backend.supervised import SupervisedBackend
from ops.embedded.databases import EmbeddedDatabases
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder
from tests.acceptance.conftest import command_line, prefect_server

__all__ = ["command_line", "prefect_server"]

NewStack = Callable[..., DrivenStack]


BUILD_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The real engine's tests may wait until its command line is built."""
    for item in items:
        if _needs_engine(item):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS))


def _needs_engine(item: pytest.Item) -> bool:
    return "engine" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session", autouse=True)
def no_daemon() -> Iterator[None]:
    """A Docker daemon of this machine plays no part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        yield


@pytest.fixture(scope="session")
def engine() -> str:
    """The command line's path; without one the real engine's tests are skipped.

    BUILD_PULUMI says that it is being built, or may be.
    """
    if os.environ.get("BUILD_PULUMI"):
        _await_build()
    try:
        return find_cli().command
    except ConfigurationError as error:
        pytest.skip(str(error))


def _await_build() -> None:
    """The build needs Go's module proxy, which is not everywhere to be reached."""
    script = PROJECT_ROOT / "tools" / "build_pulumi.sh"
    try:
        subprocess.run(
            [script], check=True, capture_output=True, text=True, timeout=BUILD_SECONDS - 60
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"Pulumi's command line could not be built: {last}")
    except subprocess.TimeoutExpired:
        pytest.skip("Pulumi's command line took too long to build")


@pytest.fixture
def homes() -> Iterator[Callable[[], StateFolder]]:
    """Make state folders; their servers are stopped and removed after the test.

    Not below pytest's folders, which are closed to the servers' account.
    """
    made: list[StateFolder] = []

    def make() -> StateFolder:
        made.append(StateFolder(Path(tempfile.mkdtemp(prefix="sigmasight-stack-"))))
        made[-1].create()
        return made[-1]

    yield make
    collect_loops()
    for state in made:
        SupervisedBackend(state).stop()
        EmbeddedDatabases(state).down()
        _stop_retired(state)
        shutil.rmtree((state.root / "servers").resolve(), ignore_errors=True)
        shutil.rmtree(state.root)


def collect_loops() -> None:
    """After a failed operation Pulumi's SDK leaves an event loop open; it goes here, and not at
    some later test that knows nothing of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _stop_retired(state: StateFolder) -> None:
    databases = EmbeddedDatabases(state)
    for name in ("legacy", "core", "ai"):
        databases.server(name).stop()


@pytest.fixture
def new_stack(engine: str, homes: Callable[[], StateFolder]) -> NewStack:
    """Make a stack of the embedded target; its log is a list beside it."""

    def make(state: StateFolder | None = None, **config: str) -> DrivenStack:
        lines: list[str] = []
        stack = DrivenStack(state or homes(), "embedded", "embedded", lines.append)
        if config:
            stack.configure(**config)
        return stack

    return make
