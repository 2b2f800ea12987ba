"""What a rehearsal stands on: its place, its copy of the old database, commands and clients."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import URL

from ops.books.rehearsals import recorded_place
from ops.connection import connect, conninfo
from ops.embedded.account import SHARED_PLACE
from ops.embedded.databases import EmbeddedDatabases
from ops.errors import BusyError, RefusedError, VerificationError
from ops.probe_accounts import ProbeAccount
from ops.rehearsal import run
from ops.rehearsal.commands import RehearsalStoppedError, Stage
from ops.rehearsal.load import Load
from ops.rehearsal.old_database import copy_whole, real_legacy
from ops.rehearsal.place import interruptible, remove_leftovers, throw_away_place
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.integration.copy.owned_world import WORLD

# Makes a place with a server and a process of its own, says so, and hangs.
_REHEARSES = """
import subprocess, sys, time
from pathlib import Path
from ops.embedded.databases import EmbeddedDatabases
from ops.rehearsal.place import throw_away_place
from ops.state_folder import StateFolder
with throw_away_place(StateFolder(Path(sys.argv[1])), keep=False) as here:
    EmbeddedDatabases(here).up(("legacy",))
    home = {"SIGMASIGHT_HOME": str(here.root)}
    print(subprocess.Popen(["sleep", "600"], env=home, start_new_session=True).pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[StateFolder, Path, list[psutil.Process]]]:
    """What a rehearsal that was killed by SIGKILL leaves: its place, and what runs there."""
    state = StateFolder(tmp_path / "state")
    with subprocess.Popen(
        [sys.executable, "-c", _REHEARSES, str(state.root)], stdout=subprocess.PIPE, text=True
    ) as rehearsing:
        assert rehearsing.stdout is not None
        child = psutil.Process(int(rehearsing.stdout.readline()))
        rehearsing.kill()
    place = recorded_place(state)
    assert place is not None
    server = EmbeddedDatabases(StateFolder(place)).server("legacy").process()
    assert server is not None
    yield state, place, [child, server]
    remove_leftovers(state)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def stranger_of(home: str) -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(["sleep", "600"], env={"SIGMASIGHT_HOME": home}) as stranger:
        try:
            yield stranger
        finally:
            stranger.kill()


@pytest.mark.soak
def test_what_a_killed_rehearsal_left_is_removed_by_the_next_and_nothing_else(
    killed: tuple[StateFolder, Path, list[psutil.Process]], tmp_path: Path
) -> None:
    state, place, processes = killed
    folder = (place / "servers").resolve()
    assert all(lives(one) for one in processes)
    assert folder.is_dir()
    with stranger_of(f"{place}-another") as stranger, throw_away_place(state, keep=False) as here:
        assert here.root.parent == place.parent
        assert stranger.poll() is None
        assert not any(lives(one) for one in processes)
        assert not folder.exists()
    assert not place.parent.exists()
    assert recorded_place(state) is None
    assert not [one for one in (SHARED_PLACE / "servers").glob("*") if one == folder]


def test_one_rehearsal_at_a_time(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with throw_away_place(state, keep=False) as here:
        with pytest.raises(BusyError), throw_away_place(state, keep=False):
            pass
        assert here.root.is_dir()
    assert not here.root.exists()


def test_a_kept_place_stays_until_the_next_rehearsal(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with throw_away_place(state, keep=True) as here:
        (here.root / "mine").touch()
    assert (here.root / "mine").exists()
    with throw_away_place(state, keep=False):
        assert not (here.root / "mine").exists()


def test_a_recorded_place_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    state, foreign = StateFolder(tmp_path / "state"), tmp_path / "foreign"
    foreign.mkdir()
    state.create()
    (state.root / "rehearsals").mkdir()
    link = state.root / "rehearsals" / "1"
    link.symlink_to(foreign)
    for place in (foreign, link, state.root, Path("/")):
        state.write("rehearsal", {"place": str(place)})
        assert remove_leftovers(state)
        assert foreign.is_dir()
        assert state.root.is_dir()


def test_the_copy_of_an_old_database_is_whole(
    tmp_path: Path, old_shape: URL, scratch_database: URL
) -> None:
    source, target = old_shape, scratch_database
    with connect(source, application_name="t") as old:
        old.execute(WORLD.encode())
    counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM positions)"
    copy_whole(source, target, tmp_path)
    with connect(source, application_name="t") as old, connect(target, application_name="t") as new:
        assert new.execute(counts).fetchone() == old.execute(counts).fetchone()
    with pytest.raises(VerificationError, match="already exists"):
        copy_whole(source, target, tmp_path)


def test_only_a_given_old_database_is_a_real_one(tmp_path: Path, scratch_database: URL) -> None:
    demo = OperatorSettings(_env_file=None, SIGMASIGHT_HOME=tmp_path)
    assert real_legacy(demo) is None
    address = SecretStr(conninfo(scratch_database))
    given = OperatorSettings(_env_file=None, SIGMASIGHT_HOME=tmp_path, LEGACY_DATABASE_URL=address)
    found = real_legacy(given)
    assert found is not None
    assert found.database == scratch_database.database


def test_a_small_disk_refuses(
    tmp_path: Path, scratch_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.require_space(tmp_path, None)
    monkeypatch.setattr(run, "_TIMES_LEGACY", 2**40)
    with pytest.raises(RefusedError, match="free some"):
        run.require_space(tmp_path, scratch_database)


def test_commands_are_told_nothing_of_the_real_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "AI_DATABASE_ADMIN_URL", "LEGACY_DATABASE_URL", "BACKEND_URL"):
        monkeypatch.setenv(name, "postgresql://real:secret@real/real")
    monkeypatch.setenv("BACKUP_FOLDER", "/real")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "real")
    monkeypatch.setenv("SIGMASIGHT_HOME", "/real")
    told = Stage(tmp_path, {"LEGACY_DATABASE_URL": "copy"}, tmp_path / "log").environment()
    assert "PREFECT__FLOW_RUN_ID" not in told
    names = ("DATABASE_URL", "AI_DATABASE_ADMIN_URL", "BACKEND_URL", "BACKUP_FOLDER")
    assert not told.keys() & set(names)
    assert told["LEGACY_DATABASE_URL"] == "copy"
    assert told["SIGMASIGHT_HOME"] == str(tmp_path)


def test_a_failed_command_names_its_step_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(RehearsalStoppedError) as stopped:
        Stage(tmp_path, {}, log).run("first look", "dsn", "core")
    assert "failed in 'first look': there are no databases here yet" in str(stopped.value)
    assert str(log) in str(stopped.value)
    assert log.stat().st_mode & 0o077 == 0


def test_asked_to_end_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


class _Failing(BaseHTTPRequestHandler):
    """Lets nobody in, and answers every third question with 503."""

    asked = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(503 if self.asked % 3 == 0 else 200)
        self.send_header("X-SigmaSight-Pair", "old")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_clients_count_what_they_lose() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Failing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        load = Load(
            f"http://127.0.0.1:{server.server_port}", ProbeAccount("a@example.com", "wrong")
        )
        load.step = "swap"
        with load.running():
            while load.asked["swap"].requests < 30:
                time.sleep(0.01)
        server.shutdown()
    asked = load.asked["swap"]
    assert asked.requests // 3 - 4 <= asked.lost <= asked.requests // 3
    assert asked.pairs["old"] == asked.requests
    assert asked.longest_seconds > 0
