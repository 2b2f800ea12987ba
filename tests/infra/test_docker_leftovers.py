"""A container that an engine left which was killed: removed where it is the stack's, once it has
filled its volume. Docker's command line is a script here that keeps what it was told."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.docker_leftovers import remove_container

Told = Callable[[], list[str]]
RESOURCE = {
    "type": "docker:index/container:Container",
    "inputs": {
        "name": "sigmasight-docker-3f9c-core",
        "labels": [{"label": "sigmasight.stack", "value": "docker-3f9c"}],
    },
}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """A daemon that has the container, which initialises when it is first asked."""
    words = tmp_path / "words"
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
echo "$@" >> {words}
case $1 in
  ps) case "$*" in *sigmasight.stack=docker-3f9c*) echo c0ffee;; esac;;
  inspect) [ $(grep -c inspect {words}) = 1 ] && echo running starting || echo running healthy;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    return lambda: words.read_text().splitlines() if words.exists() else []


def test_a_leftover_goes_once_its_volume_is_filled(told: Told) -> None:
    lines: list[str] = []
    remove_container(RESOURCE, lines.append)
    asked, *then = told()
    assert "--filter=name=^/?sigmasight-docker-3f9c-core$" in asked
    assert [words.split()[0] for words in then] == ["inspect", "inspect", "stop", "rm"]
    assert lines == [
        "removed the container sigmasight-docker-3f9c-core, which a killed run had left"
    ]


@pytest.mark.parametrize(
    "other",
    [
        {**RESOURCE, "type": "docker:index/volume:Volume"},
        {**RESOURCE, "inputs": {**RESOURCE["inputs"], "labels": []}},  # type: ignore[dict-item]
    ],
)
def test_nothing_else_is_removed(told: Told, other: dict[str, object]) -> None:
    remove_container(other, print)
    assert not [words for words in told() if words.split()[0] in ("stop", "rm")]


def test_without_dockers_command_line_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    remove_container(RESOURCE, print)


@pytest.mark.parametrize(
    ("context", "host"), [("", "unix:///var/run/docker.sock"), ("far", "")], ids=["none", "far"]
)
def test_the_provider_s_daemon_is_asked(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: str, host: str
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", context)
    asked = tmp_path / "asked"
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$DOCKER_HOST" >> {asked}\n')
    remove_container(RESOURCE, print)
    assert asked.read_text().splitlines() == [host]
