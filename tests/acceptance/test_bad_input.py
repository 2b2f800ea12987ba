"""Bad input ends in one line that says what to do, and changes nothing."""

import re
import socket
from collections.abc import Iterator

import pytest

from ops.embedded.server import free_port
from tests.acceptance.bad_input_cases import (
    REFUSED_ADDRESSES,
    REFUSED_BACKENDS,
    REFUSED_DATABASES,
    REFUSED_PRICES,
    REFUSED_SERVES,
    REFUSED_STATES,
    REFUSED_URLS,
    REFUSED_WORDS,
)
from tests.acceptance.bad_input_scenes import full_disk, given
from tests.acceptance.command_line import CommandLine
from tests.acceptance.scene import PASSWORD, Arrange, Scene, fingerprint, may_mount


def _cases() -> Iterator[object]:
    for name, words, error in REFUSED_WORDS:
        split = words.split() if isinstance(words, str) else words
        yield pytest.param(split, given(), error, id=name)
    for name, arrange, error in REFUSED_URLS:
        yield pytest.param(["seed"], arrange, error, id=name)
    for name, words, arrange, error in [*REFUSED_DATABASES, *REFUSED_STATES]:
        marks = [pytest.mark.skipif(not may_mount(), reason="a full disk needs root and mount")]
        yield pytest.param(
            words.split(), arrange, error, id=name, marks=marks if arrange is full_disk else []
        )
    for name, arrange, error in REFUSED_SERVES:
        yield pytest.param(
            ["serve", "--port", str(free_port())], arrange, error, id=f"serve: {name}"
        )
    for name, words, error in REFUSED_ADDRESSES:
        yield pytest.param(["serve", *words.split()], given(), error, id=f"serve: {name}")
    for name, url, error in REFUSED_BACKENDS:
        yield pytest.param(["verify"], given(BACKEND_URL=url), error, id=f"backend: {name}")
    for name, arrange, error in REFUSED_PRICES:
        yield pytest.param(["up"], arrange, error, id=f"prices: {name}")


@pytest.mark.parametrize(("words", "arrange", "error"), list(_cases()))
def test_ends_in_one_line_and_changes_nothing(
    command_line: CommandLine, scene: Scene, words: list[str], arrange: Arrange, error: str
) -> None:
    environment = {"SIGMASIGHT_HOME": scene.folder / "home", **arrange(scene)}
    before = [fingerprint(url) for url in scene.watched]
    outcome = command_line.run(*words, **environment)
    assert outcome.code != 0, outcome
    assert len(outcome.errors) == 1, outcome
    assert re.search(error, outcome.errors[0]), outcome
    assert "Traceback" not in outcome.out + outcome.err, outcome
    for secret in (PASSWORD, scene.server.password):
        assert secret not in outcome.out + outcome.err, outcome
    assert [fingerprint(url) for url in scene.watched] == before
    assert not list(scene.folder.rglob("PG_VERSION"))


def test_a_taken_port_is_refused_before_anything_is_migrated(
    command_line: CommandLine, scene: Scene
) -> None:
    core, ai = scene.database(), scene.database()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = command_line.run("serve", "--port", port, **scene.pair(core, ai))
    assert outcome.code == 1, outcome
    assert len(outcome.errors) == 1, outcome
    assert f"cannot listen on port {port} of 127.0.0.1 (Address already in use)" in outcome.err
    for url in (core, ai):
        assert fingerprint(url)["rows"] == set()
