"""Documents that survive a kill, secrets that only their owner reads."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from ops.errors import BusyError, ConfigurationError
from ops.state_folder import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "a" / "state")
    folder.create()
    return folder


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_others_may_pass_but_neither_list_nor_read(state: StateFolder) -> None:
    state.write("secrets", {"a": "b"})
    assert _mode(state.root) == 0o711
    assert _mode(state.root / "secrets.json") == 0o600


def test_a_folder_of_somebodys_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    StateFolder(home).create()
    assert _mode(home) == 0o700


def test_a_document_that_was_open_to_all_is_closed_when_written(state: StateFolder) -> None:
    path = state.root / "secrets.json"
    path.write_text("{}")
    path.chmod(0o644)
    state.update("secrets", a="b")
    assert _mode(path) == 0o600


def test_an_absent_document_is_empty(state: StateFolder, tmp_path: Path) -> None:
    assert state.read("ports") == {}
    assert StateFolder(tmp_path / "nowhere").read("ports") == {}
    (tmp_path / "file").touch()
    assert StateFolder(tmp_path / "file").read("ports") == {}


def test_update_keeps_the_other_keys(state: StateFolder) -> None:
    state.write("ports", {"core": 1, "ai": 2})
    state.update("ports", ai=3)
    assert state.read("ports") == {"core": 1, "ai": 3}


def test_a_failed_write_leaves_the_old_document(state: StateFolder) -> None:
    state.write("ports", {"core": 1})
    with pytest.raises(TypeError):
        state.write("ports", {"core": object()})
    assert state.read("ports") == {"core": 1}


@pytest.mark.parametrize("damage", [b"{", b"[]", b"", b"3", b"\x1f\x8b\x08"])
def test_a_damaged_document_is_refused_in_one_line(state: StateFolder, damage: bytes) -> None:
    (state.root / "ports.json").write_bytes(damage)
    with pytest.raises(ConfigurationError, match=r"ports\.json is damaged; restore it") as refused:
        state.read("ports")
    assert "\n" not in str(refused.value)


def test_a_secret_is_made_once(state: StateFolder) -> None:
    first = state.secret("core_owner")
    assert len(first) >= 24
    assert state.secret("ai_owner") != first
    assert StateFolder(state.root).secret("core_owner") == first


def test_a_folder_that_cannot_be_made_says_where_to_go(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="set SIGMASIGHT_HOME to a folder of yours"):
        StateFolder(tmp_path / "file" / "state").create()


def test_a_lock_is_held_against_other_processes_and_ends_with_its_own(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else None)
    held = context.Event()
    holder = context.Process(target=_hold, args=(state, held))
    holder.start()
    assert held.wait(10)
    monkeypatch.setattr("ops.state_folder._PATIENCE_SECONDS", 0.1)
    for wait in (False, True):
        with (
            pytest.raises(BusyError, match=r"or end one.*fuser .*\.x\.lock"),
            state.lock("x", wait=wait),
        ):
            pass
    assert _mode(state.root / ".x.lock") == 0o600
    holder.kill()
    holder.join()
    with state.lock("x", wait=False):
        pass


def _hold(state: StateFolder, held: object) -> None:
    with state.lock("x"):
        held.set()  # type: ignore[attr-defined]
        while True:
            pass
