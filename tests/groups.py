"""Which tests run together, in one process, and which only at length."""

import os
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet

Case = TypeVar("Case")

# Fixtures that take long to make, and the group of the tests that share what they make: one process
# runs a group, so that each is made once. The groups that take longest come first.
SCENES = {
    "stage": "kills",
    "desk": "api",  # of the same template
    "backfilled_template": "api",
    "rehearsed": "rehearsal",
    "dashboard": "dashboard",
    "rebuilt": "rebuilt",
    "market_template": "backfill",
}


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in this same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests: by the first scene that they use, the others by their file."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)[1]))
    items.sort(key=lambda item: _group(item)[0])


def _group(item: pytest.Item) -> tuple[int, str]:
    """A test's group and its place among the groups; the real engine's tests come last where its
    command line is still being built."""
    names, file = getattr(item, "fixturenames", ()), item.path.stem
    if "engine" in names and os.environ.get("BUILD_PULUMI"):
        return len(SCENES) + 1, f"{file} on the engine"
    used = [(rank, SCENES[scene]) for rank, scene in enumerate(SCENES) if scene in names]
    return used[0] if used else (len(SCENES), file)


def soaked(*cases: Any) -> list[ParameterSet]:
    """Cases of a kind that `make test` shows by another one: `make soak` runs them all."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.soak)
        for case in cases
    ]


def first_of_each(cases: Iterable[Case], kind: Callable[[Case], Hashable]) -> list[ParameterSet]:
    """Cases of which `make test` runs the first of each kind, and `make soak` the others."""
    seen: set[Hashable] = set()
    found = []
    for case in cases:
        marks = soaked_unless(kind(case) not in seen)
        found.append(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks))
        seen.add(kind(case))
    return found


def soaked_unless(shown: bool) -> list[pytest.MarkDecorator]:
    """The marks of a case that `make test` runs if it is to be shown there, else `make soak`."""
    return [] if shown else [pytest.mark.soak]
