"""Where a rehearsal takes place: a state folder of its own, ended and removed whole.

What belongs to a place is known by the place alone: processes that were told its folder or stand
in it, and files below it. So a later rehearsal can remove what a killed one left, and nothing else.
"""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from ops.books.rehearsals import forget_place, record_place, recorded_place
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.errors import SigmaSightError
from ops.processes import HOME, end
from ops.state_folder import StateFolder

_PARENT = "rehearsals"
_GRACE_SECONDS = 10.0
_ASKED_TO_END = (signal.SIGTERM, signal.SIGHUP)


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
    end(_told(place), _GRACE_SECONDS)  # first, or they would start servers again
    databases = EmbeddedDatabases(StateFolder(place))
    folders = {(place / "servers").resolve()}
    for name in NAMES:
        server = databases.server(name)
        folders.add(server.folder.parent.resolve())
        with suppress(SigmaSightError, OSError):
            server.remove()
    for folder in (*folders, place.resolve()):
        end(_standing_in(folder), _GRACE_SECONDS)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)


def _told(place: Path) -> list[psutil.Process]:
    """Commands and backends whose environment names the place as their state folder."""
    return [one for one in _others() if _environment(one).get(HOME) == str(place)]


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


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise KeyboardInterrupt, so that what was made is
    removed first. Outside the main thread, which alone is told of signals, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in _ASKED_TO_END}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
