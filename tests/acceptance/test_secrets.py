"""Passwords stand in the secrets file and nowhere else."""

import stat
from pathlib import Path

import psycopg
import pytest

from app.chain_folders import PROJECT_ROOT
from ops.connection import conninfo
from ops.embedded.databases import NAMES
from ops.embedded.server import free_port
from tests.acceptance.command_line import CommandLine
from tests.acceptance.rebuilt import Rebuilt
from tests.acceptance.scene import PASSWORD, Scene
from tests.groups import soaked

FAILING = ["seed", *soaked("backfill", "copy", "drift", "status")]


def files_with(text: str, folder: Path) -> set[str]:
    """The files of a folder, and of what it links to, that hold a text. They are read twice: a
    database moves what it holds from its journal to its file."""
    return {
        path.name
        for _ in range(2)
        for root in (folder, *(link.resolve() for link in folder.iterdir() if link.is_symlink()))
        for path in root.rglob("*")
        if path.is_file() and text.encode() in _content(path)
    }


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a server's journal that has just gone
        return b""


def test_after_a_rebuild_only_the_secrets_file_holds_passwords(rebuilt: Rebuilt) -> None:
    assert files_with(rebuilt.canary, rebuilt.home) == {"secrets.json"}


def test_the_run_history_holds_no_password(rebuilt: Rebuilt) -> None:
    assert files_with(
        "rebuild-summary", rebuilt.prefect.state.root
    )  # it is searched in the right place
    assert files_with(rebuilt.canary, rebuilt.prefect.state.root) == set()


def test_a_rebuild_shows_no_password_to_anybody(rebuilt: Rebuilt) -> None:
    assert rebuilt.canary not in rebuilt.output
    assert any("rebuild" in text for text in rebuilt.overheard)
    assert any("COPY" in text for text in rebuilt.overheard)
    assert [text for text in rebuilt.overheard if rebuilt.canary in text] == []


def test_the_project_itself_holds_no_password(rebuilt: Rebuilt) -> None:
    own = [path for path in PROJECT_ROOT.iterdir() if path.is_dir() and path.name[0] != "."]
    assert "app" in {path.name for path in own}
    assert [path for path in own if files_with(rebuilt.canary, path)] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", ["owner", "app", "readonly"])
def test_dsn_prints_an_address_that_logs_in(
    rebuilt: Rebuilt, command_line: CommandLine, name: str, role: str
) -> None:
    printed = command_line.run("dsn", name, "--role", role, **rebuilt.environment)
    assert rebuilt.canary not in printed.err, printed
    with psycopg.connect(printed.out.strip()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (f"sigmasight_{role}",)


@pytest.mark.parametrize(
    "words", [("status", "--json"), *soaked((("status",),), (("drift",),))], ids=" ".join
)
def test_other_commands_print_no_password(
    rebuilt: Rebuilt, command_line: CommandLine, words: tuple[str, ...]
) -> None:
    outcome = command_line.run(*words, **rebuilt.environment)
    assert outcome.code == 0, outcome
    assert rebuilt.canary not in outcome.out + outcome.err, outcome


@pytest.mark.parametrize("command", FAILING)
def test_a_failing_command_shows_no_password(
    command_line: CommandLine, scene: Scene, command: str
) -> None:
    gone = scene.server.url("gone").set(port=free_port(), password=PASSWORD)
    outcome = command_line.run(
        command,
        **scene.pair(core=gone, ai=gone.set(database="gone_too")),
        LEGACY_DATABASE_URL=conninfo(gone.set(database="old")),
        DEMO_PASSWORD=PASSWORD,
        SIGMASIGHT_HOME=scene.folder,
    )
    assert "no PostgreSQL server answers" in outcome.out + outcome.err, outcome
    assert PASSWORD not in outcome.out + outcome.err, outcome
    assert files_with(PASSWORD, command_line.prefect.state.root) == set()


def test_what_others_may_see_of_the_state_folder(rebuilt: Rebuilt) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in rebuilt.home.iterdir()}
    assert stat.S_IMODE(rebuilt.home.stat().st_mode) == 0o711
    assert modes["secrets.json"] == modes["ports.json"] == 0o600
    assert modes["servers"] == 0o700
    for name in NAMES:
        folder = rebuilt.databases.server(name).folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_what_others_may_see_of_the_run_history(rebuilt: Rebuilt) -> None:
    root = rebuilt.prefect.state.root
    assert stat.S_IMODE((root / "prefect").stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "prefect.log").stat().st_mode) == 0o600
