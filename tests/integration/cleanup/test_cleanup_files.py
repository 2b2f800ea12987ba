"""Only what the folders hold is removed, however a path is bent meanwhile."""

import os
from pathlib import Path

import pytest

from ops.cleanup.folders import MARKER, Rules, find_files, find_repository
from ops.cleanup.removing import checksum, remove_file, remove_folder
from ops.cleanup.scene import rules_of
from ops.errors import BadInputError
from ops.settings import OperatorSettings
from tests.integration.cleanup.swapped_world import make_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_files(tmp_path)
    return tmp_path


def _names(rules: Rules, *kept: Path) -> list[str]:
    return [Path(found.path).name for found in find_files(rules, kept)]


def test_suffixes_links_and_folders_below_decide(root: Path) -> None:
    dumps = root / "dumps"
    assert _names(Rules((dumps,))) == ["old.dump", "old.sql"]
    deep = ["deep.sql", "old.dump", "old.sql"]
    assert _names(Rules((dumps,), recursive=True)) == deep, "precious.sql is behind a link"
    assert _names(Rules((dumps, dumps, dumps / "below"))) == deep, "idempotent"
    assert _names(Rules((dumps,), spared=(dumps / "old.sql",))) == ["old.dump"]
    assert _names(Rules((dumps,), True, spared=(dumps / "below",))) == ["old.dump", "old.sql"]
    assert _names(Rules((dumps,)), dumps / "old.dump") == ["old.sql"], "a backup stays"
    assert _names(Rules()) == []


def test_a_pipe_that_is_called_like_a_dump_is_no_file(root: Path) -> None:
    os.mkfifo(root / "dumps" / "pipe.sql")
    assert _names(Rules((root / "dumps",))) == ["old.dump", "old.sql"]


def test_a_file_that_changed_since_is_left(root: Path) -> None:
    dump, script = find_files(Rules((root / "dumps",)))
    Path(dump.path).write_text("somebody's new dump")
    assert checksum(dump) is None
    assert remove_file(dump) == "left: it has changed"
    assert Path(dump.path).exists()
    assert remove_file(script) == "removed"
    assert remove_file(script) == "gone already"


def test_a_folder_that_became_a_link_leads_nowhere(root: Path) -> None:
    """Between the look and the removal the folder is replaced by a link to one with a file of the
    very same inode."""
    (found, _) = find_files(Rules((root / "dumps",)))
    os.rename(root / "dumps", root / "moved")
    (root / "dumps").symlink_to(root / "moved")
    assert checksum(found) is None
    assert remove_file(found) == "left: it has changed"
    assert (root / "moved" / "old.dump").exists()


def test_a_file_that_became_a_link_is_left(root: Path) -> None:
    (found, _) = find_files(Rules((root / "dumps",)))
    os.rename(found.path, root / "outside" / "old.dump")
    os.symlink(root / "outside" / "old.dump", found.path)
    assert remove_file(found) == "left: it has changed"
    assert (root / "outside" / "old.dump").exists()


def test_of_a_repository_links_go_and_what_they_name_stays(root: Path) -> None:
    rules = Rules((root / "dumps",), repository=root / "dumps" / "repository")
    found = find_repository(rules)
    assert found is not None
    assert found.files == 1, "links and what is behind them do not count"
    assert remove_folder(found) == "removed"
    assert not (root / "dumps" / "repository").exists()
    assert (root / "outside" / "precious.sql").exists()
    assert remove_folder(found) == "gone already"
    assert find_repository(rules) is None


def test_another_folder_of_the_same_name_is_left(root: Path) -> None:
    place = root / "dumps" / "repository"
    found = find_repository(Rules((root / "dumps",), repository=place))
    assert found is not None
    os.rename(place, root / "elsewhere")
    place.mkdir()
    assert remove_folder(found) == "left: it has changed"
    assert place.is_dir()


def test_a_marker_says_that_a_folder_without_git_may_go(root: Path) -> None:
    place = root / "dumps" / "plain"
    place.mkdir()
    rules = Rules((root / "dumps",), repository=place)
    with pytest.raises(BadInputError, match=MARKER):
        find_repository(rules)
    (place / MARKER).touch()
    assert find_repository(rules) is not None


def test_a_repository_that_holds_the_state_or_the_backups_is_refused(root: Path) -> None:
    place = root / "dumps" / "repository"
    for spared in (place, place / "state", place / "backups" / "here"):
        with pytest.raises(BadInputError, match="holds"):
            find_repository(Rules((root / "dumps",), repository=place, spared=(spared,)))


def test_folders_are_listed_like_a_path(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("CLEANUP_FOLDERS", f"{root / 'dumps'}:{root / 'outside'}")
    monkeypatch.setenv("SIGMASIGHT_HOME", str(root / "state"))
    monkeypatch.setenv("BACKEND_LOG", str(root / "dumps" / "old.sql"))
    settings = OperatorSettings()
    assert _names(rules_of(settings)) == ["old.dump", "precious.sql"], "the log is spared"
    assert settings.backups == root / "state" / "backups"
