"""What is installed is removed on request alone, and not while it is needed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.gate.serving_pair import Pair
from ops.embedded.account import Account
from ops.embedded.databases import EmbeddedDatabases
from ops.errors import RefusedError
from ops.settings import OperatorSettings
from ops.uninstall import Installation

PORTS = {"legacy": 1, "core": 2, "ai": 3}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorSettings:
    """Of a state folder with databases that do not run, but for the one that says who serves."""
    monkeypatch.setattr(Account, "can_reach", lambda *_: True)  # nothing outside the folder
    monkeypatch.setattr(EmbeddedDatabases, "up", lambda *_: {})
    monkeypatch.setattr("ops.uninstall.serving_pair", _serving)
    settings = OperatorSettings(SIGMASIGHT_HOME=tmp_path / "state")
    settings.state.create()
    settings.state.write("ports", PORTS)
    return settings


def _serving(settings: OperatorSettings) -> Pair:
    return "new" if settings.state.read("swapped") else "old"


def swapped(settings: OperatorSettings) -> None:
    settings.state.write("swapped", {"by": "the test"})


def backed_up(settings: OperatorSettings) -> None:
    (settings.state.root / "backups").mkdir()


@pytest.mark.parametrize(
    ("needed", "running", "words"),
    [
        (lambda _: None, ("backend",), "backend of .* run; stop them by `sigmasight down`"),
        (swapped, (), "a swap is in force, and the old database is locked; .*rollback"),
        (backed_up, (), "holds backups too; move that away"),
    ],
    ids=["what runs", "a swap in force", "what nobody else has"],
)
def test_what_is_needed_stays(
    settings: OperatorSettings,
    needed: Callable[[OperatorSettings], None],
    running: tuple[str, ...],
    words: str,
) -> None:
    needed(settings)
    with pytest.raises(RefusedError, match=f"^nothing was removed: .*{words}"):
        Installation(settings, running).remove()
    assert settings.state.read("ports") == PORTS


def test_what_is_shown_is_what_goes(settings: OperatorSettings, tmp_path: Path) -> None:
    swapped(settings)
    settings.state.write("ports", {"core": 2, "ai": 3})  # the cleanup has ended
    installed = Installation(settings)
    assert installed.goes() == [
        f"{tmp_path}/state: secrets, run history, the databases core, ai with all their data"
    ]
    installed.remove()
    assert list(tmp_path.iterdir()) == []
    assert installed.goes() == []
