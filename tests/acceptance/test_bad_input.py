"""Bad input ends in one line that says what to do, and changes nothing."""

import re
import socket
from collections.abc import Iterator, Sequence

import pytest

from ops.embedded.server import free_port
from tests.acceptance.bad_input_cases import (
    AT_LENGTH,
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
from tests.groups import soaked_unless


def _cases() -> Iterator[object]:
    for name, words, error in REFUSED_WORDS:
        yield _case(name, words.split() if isinstance(words, str) else words, given(), error)
    for name, arrange, error in REFUSED_URLS:
        yield _case(name, ["drift"], arrange, error)
    for name, words, arrange, error in [*REFUSED_DATABASES, *REFUSED_STATES]:
        yield _case(name, words.split(), arrange, error)
    for name, arrange, error in REFUSED_SERVES:
        yield _case(f"serve: {name}", ["serve", "--port", str(free_port())], arrange, error)
    for name, words, error in REFUSED_ADDRESSES:
        yield _case(f"serve: {name}", ["serve", *words.split()], given(), error)
    for name, url, error in REFUSED_BACKENDS:
        yield _case(f"backend: {name}", ["verify"], given(BACKEND_URL=url), error)
    for name, arrange, error in REFUSED_PRICES:
        yield _case(f"prices: {name}", ["up"], arrange, error)


def _case(name: str, words: Sequence[str], arrange: Arrange, error: str) -> object:
    mountable = arrange is not full_disk or may_mount()
    marks = [
        pytest.mark.skipif(not mountable, reason="a full disk needs root and mount"),
        *soaked_unless(name not in AT_LENGTH),
    ]
    return pytest.param(words, arrange, error, id=name, marks=marks)


@pytest.mark.parametrize(("words", "arrange", "error"), list(_cases()))
def test_ends_in_one_line_and_changes_nothing(
    command_line: CommandLine, scene: Scene, words: Sequence[str], arrange: Arrange, error: str
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
