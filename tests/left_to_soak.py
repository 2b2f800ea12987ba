"""How many tests `make test` leaves to `make soak`, said at the end of a run."""

from typing import Any

import pytest

_LEFT = pytest.StashKey[int]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak"):
            item.config.stash[_LEFT] = item.config.stash.get(_LEFT, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that shares the work tells the one that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = session.config.stash.get(_LEFT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each process collects all tests."""
    node.config.stash[_LEFT] = getattr(node, "workeroutput", {}).get("left", 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left := config.stash.get(_LEFT, 0):
        terminalreporter.write_line(f"left to `make soak`: {left}")
