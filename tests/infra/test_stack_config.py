"""The stack's configuration: typed values, and one line for each wrong one."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import set_all_config

from infra.program import declare
from infra.stack_config import StackConfig, project_state
from infra.topology import Topology
from ops.errors import ConfigurationError
from ops.state_folder import StateFolder

Given = Callable[..., StackConfig]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """A configuration with these values, of a stack that is named after no target."""
    monkeypatch.setattr(pulumi, "get_stack", lambda: "blue")

    def make(**values: str) -> StackConfig:
        set_all_config({f"sigmasight:{key}": value for key, value in values.items()})
        return StackConfig(StateFolder(tmp_path))

    yield make
    set_all_config({})


def test_an_untouched_stack_starts_from_the_old_database(given: Given) -> None:
    assert given(target="docker").topology() == Topology("docker", "present", "old")


def test_three_words_say_what_exists(given: Given) -> None:
    config = given(target="external", legacy="absent", active="new")
    assert config.topology() == Topology("external", "absent", "new")


REFUSED_TOPOLOGIES = [
    ({}, "target is missing; use embedded or docker or external"),
    ({"target": "moon"}, "target is 'moon'; use embedded or docker or external"),
    ({"target": "docker", "legacy": "maybe"}, "legacy is 'maybe'; use present or absent"),
    ({"target": "docker", "active": "Old"}, "active is 'Old'; use old or new"),
    ({"target": "docker", "legacy": "absent"}, "active: old and legacy: absent"),
]


@pytest.mark.parametrize(("values", "complaint"), REFUSED_TOPOLOGIES)
def test_refuses_a_topology(given: Given, values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        given(**values).topology()


def test_flags_and_numbers(given: Given) -> None:
    config = given(protect="FALSE", port="5433")
    assert config.flag("protect", True) is False
    assert config.flag("absent", True) is True
    assert (config.integer("port", 5432), config.integer("absent", 5432)) == (5433, 5432)
    assert config.optional_text("absent") is None


REFUSED_VALUES: list[tuple[dict[str, str], Callable[[StackConfig], object], str]] = [
    ({"protect": "yes"}, lambda c: c.flag("protect", True), "protect is 'yes'; use true or false"),
    ({"port": "http"}, lambda c: c.integer("port", 1), "port is 'http'; use a whole number"),
    ({"port": "0"}, lambda c: c.integer("port", 1, least=1), "port is 0; use at least 1"),
    ({"image": ""}, lambda c: c.text("image"), "image is missing"),
    ({}, lambda c: c.secret("coreUrl"), "`pulumi config set --secret sigmasight:coreUrl`"),
]


@pytest.mark.parametrize(("values", "ask", "complaint"), REFUSED_VALUES)
def test_refuses_a_value(
    given: Given,
    values: dict[str, str],
    ask: Callable[[StackConfig], object],
    complaint: str,
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        ask(given(**values))


def test_the_program_ends_in_one_line_without_a_trace(given: Given, tmp_path: Path) -> None:
    given(target="moon")
    with pytest.raises(pulumi.RunError, match="use embedded or docker or external"):
        declare(StateFolder(tmp_path))


def test_a_stack_is_not_taken_for_one_of_another_target(given: Given, tmp_path: Path) -> None:
    given(target="docker")
    with pytest.raises(pulumi.RunError, match="is for the target docker, not embedded"):
        declare(StateFolder(tmp_path), "embedded")


def test_the_engine_finds_the_state_folder_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGMASIGHT_HOME", raising=False)
    monkeypatch.delenv("PRICES", raising=False)
    found = project_state().root
    monkeypatch.chdir(tmp_path)
    assert project_state().root == found
    assert found.name == ".sigmasight"
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path))
    assert project_state().root == tmp_path
