"""Processes that outlive the command that starts them: started apart, found again, ended."""

import platform
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ops.state_folder import StateFolder, private_file
from ops.waiting import wait_until

HOME = "SIGMASIGHT_HOME"
_STOPPED = "stopped"

# Nobody waits for these: they outlive this process, as the databases do.
_left_running: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True)
class ManagedProcess:
    """A process of a state folder, known to every command by the document that names its id.

    Attributes:
        name: of its document, and of the log that takes what it says.
        word: on its command line.
        told: in its environment. By both it is told from a stranger that its id has passed to, and
            from its like in another state folder.
    """

    state: StateFolder
    name: str
    word: str
    told: tuple[str, str]

    @property
    def log(self) -> Path:
        """What it says, readable by its owner alone."""
        return self.state.root / f"{self.name}.log"

    @property
    def document(self) -> dict[str, Any]:
        """What was recorded of the one that was started last."""
        return self.state.read(self.name)

    def find(self) -> psutil.Process | None:
        """The running process, if any."""
        return found_process(self.document.get("pid"), self.word, self.told)

    def start(self, words: Sequence[str], environment: Mapping[str, str], **recorded: Any) -> None:
        """Start it, and record it with what else must be known of it. The caller holds a lock."""
        told = {**environment, self.told[0]: self.told[1]}
        process = spawn(words, told, self.log)
        self.state.write(self.name, {**recorded, "pid": process.pid})

    def stop(self, seconds: float, *, alone: float | None = None) -> bool:
        """End it, with what it has started; False where none runs.

        Args:
            seconds: what it gets to end by itself.
            alone: the same where nothing runs that it has started; by default no less.
        """
        process = self.find()
        if process is not None:
            end([process], seconds if alone is None or _has_children(process) else alone)
        return process is not None


def _has_children(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.children())
    return False


def spawn(
    words: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own, so that no signal to this command's reaches it."""
    with open(log, "a", opener=private_file) as said:
        process = subprocess.Popen(
            words,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    _left_running.append(process)
    return process


def found_process(
    pid: int | None, word: str, told: tuple[str, str] | None = None
) -> psutil.Process | None:
    """The running process of that id, if `word` is on its command line and it was `told` so. A
    stranger whom its id has passed to is none."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or process.status() == psutil.STATUS_ZOMBIE:
            return None
        name, value = told or ("", None)
        knows = told is None or process.environ().get(name) == value
        return process if knows and word in process.cmdline() else None
    except psutil.Error:
        return None


def lives(process: psutil.Process) -> bool:
    """Whether it still does something: one that ended and whose parent has not noticed does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Ask processes to end, and wait for them and for all that they have started. Who has not ended
    after some seconds is killed."""
    asked = list(processes)
    family = {*asked, *(child for one in asked for child in _descendants(one))}
    for number, told in ((signal.SIGTERM, asked), (signal.SIGKILL, family)):
        for one in told:
            with suppress(psutil.Error):
                one.send_signal(number)
        if wait_until(lambda: not any(map(lives, family)), seconds, pause=0.02):
            return


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def note_stopped(state: StateFolder) -> None:
    """Say that everything of a state folder is stopped on purpose: see `stopped_meanwhile`."""
    state.write(_STOPPED, {"at": time.time()})


def stopped_meanwhile(state: StateFolder) -> bool:
    """Whether everything was stopped on purpose since this process began, so that what fails in it
    since is not to be begun again."""
    at: float = state.read(_STOPPED).get("at", 0.0)
    return at > psutil.Process().create_time()


def identity_of(pid: int | None = None) -> str:
    """Machine, id and start of a process, by default of this one: no other ever has the same."""
    process = psutil.Process(pid)
    return f"{platform.node()}:{process.pid}:{process.create_time():.2f}"


def is_known_to_be_gone(identity: str) -> bool:
    """Whether the process of an identity was one of this machine and has ended, even if its id has
    been given to another since."""
    node, pid, started = identity.rsplit(":", 2)
    if node != platform.node():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 1.0
    except psutil.NoSuchProcess:
        return True
