"""Where a rehearsal takes place: a state folder of its own, ended and removed whole.

What belongs to a place is known by the place alone: processes that were told its folder or stand
in it, and files below it. So a later rehearsal can remove what a killed one left, and nothing else.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ops.backend.control_folder import control_folder
from ops.books.rehearsals import forget_place, record_place, recorded_place
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder

_PARENT = "rehearsals"
_GRACE_SECONDS = 10.0


@contextmanager
def throw_away_place(state: StateFolder, *, keep: bool) -> Iterator[StateFolder]:
    """A new state folder that is gone after the block, with everything that runs on it.

    One at a time: what an earlier rehearsal of this state folder left behind is removed first.

    Args:
        keep: leave it as it is; the next rehearsal removes it.

    Raises:
        BusyError: another rehearsal of this state folder is under way.
    """
    state.create()
    with state.lock("rehearsal", wait=False):
        remove_leftovers(state)
        place = state.root / _PARENT / f"{os.getpid()}"
        record_place(state, place, kept=keep)
        (state.root / _PARENT).mkdir(exist_ok=True)
        (state.root / _PARENT).chmod(0o711)
        here = StateFolder(place)
        here.create()
        try:
            yield here
        finally:
            if not keep:
                remove_leftovers(state)


def remove_leftovers(state: StateFolder) -> bool:
    """End and remove the recorded place; whether there was one. The caller holds the lock."""
    place = recorded_place(state)
    if place is None:
        return False
    if _is_ours(state, place) and place.exists():
        discard(place)
    forget_place(state)
    with suppress(OSError):  # somebody's file is in it
        (state.root / _PARENT).rmdir()
    return True


def _is_ours(state: StateFolder, place: Path) -> bool:
    """Whether a recorded path can be one of ours, whatever was written into the record."""
    return place.parent == state.root / _PARENT and not place.is_symlink()


def discard(place: Path) -> None:
    """End every process of a place, and remove its files."""
    _end(_told(place))  # first, or they would start servers again
    with suppress(SigmaSightError, OSError):
        shutil.rmtree(control_folder(StateFolder(place)), ignore_errors=True)
    databases = EmbeddedDatabases(StateFolder(place))
    folders = {(place / "servers").resolve()}
    for name in NAMES:
        server = databases.server(name)
        folders.add(server.folder.parent.resolve())
        with suppress(SigmaSightError, OSError):
            server.remove()
    for folder in (*folders, place.resolve()):
        _end(_standing_in(folder))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)


def _told(place: Path) -> list[psutil.Process]:
    """Commands and backends whose environment names the place as their state folder."""
    return [one for one in _others() if _environment(one).get("SIGMASIGHT_HOME") == str(place)]


def _standing_in(folder: Path) -> list[psutil.Process]:
    """Programs that work in a folder: servers, and what makes and starts them."""
    found = []
    for one in _others():
        with suppress(psutil.Error, OSError):
            if Path(one.cwd()).is_relative_to(folder):
                found.append(one)
    return found


def _others() -> Iterator[psutil.Process]:
    return (one for one in psutil.process_iter() if one.pid != os.getpid())


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _end(processes: list[psutil.Process]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in processes:
            with suppress(psutil.Error):
                one.send_signal(number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while processes and time.monotonic() < deadline:
            processes = [one for one in processes if _lives(one)]
            time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    """Whether it still does something: one that ended and whose parent has not noticed does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
