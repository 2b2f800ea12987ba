"""The backend of a state folder, kept running by a supervisor, as commands see it."""

import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from app.chain_folders import PROJECT_ROOT
from ops.backend.environment import mark_of
from ops.backend.not_ready import in_the_way
from ops.backend.supervisor import (
    APPLICATION,
    DOCUMENT,
    LEAVE_SECONDS,
    LOOPBACK,
    MARK,
    MODULE,
    TOLD,
    backend_of,
    supervisor_command,
)
from ops.errors import DatabaseUnavailableError
from ops.http_answer import HttpAnswer, http_answer
from ops.processes import HOME, end, found_process, lives, spawn
from ops.state_folder import StateFolder
from ops.waiting import wait_until

START_SECONDS = 60.0
_PATIENCE_SECONDS = 10.0
_APPLICATION = "app.main:app"
_SUPERVISOR_SECONDS = 20.0
# One that has ended so often at its start will do so again.
_MOST_FAILED = 2
_SERVES = "serves"

Environment = Mapping[str, str]


class BackendUnavailableError(DatabaseUnavailableError):
    """The backend does not start, or cannot serve."""


@dataclass(frozen=True)
class SupervisedBackend:
    """The backend of a state folder, on the loopback address, left running like the databases.

    Attributes:
        application: what is served; tests serve smaller ones.
    """

    state: StateFolder
    application: str = _APPLICATION

    @property
    def log(self) -> Path:
        """What it says, readable by its owner alone."""
        return self.state.root / "backend.log"

    @property
    def url(self) -> str | None:
        """Where users reach it, or wait for it; None where none runs."""
        if self.supervisor() is None and self.process() is None:
            return None
        return f"http://{LOOPBACK}:{self.state.read(DOCUMENT)['port']}"

    @property
    def kept(self) -> bool:
        """Whether a supervisor of this version keeps it running."""
        return self.supervisor() is not None and "mark" in self.state.read(DOCUMENT)

    def address(self) -> str:
        """Where users reach it.

        Raises:
            BackendUnavailableError: none runs.
        """
        found = self.url
        if found is None:
            raise self._unavailable("is not there")
        return found

    def ready(self) -> bool:
        """Whether it can serve right now: its databases are there, at their chains' heads."""
        return self._word(_PATIENCE_SECONDS) == "ready"

    def start(self, environment: Environment) -> None:
        """Have it served with an environment; `wait` tells when it is. One of this code and
        configuration stays, another is ended and started again on the same socket.

        Raises:
            BackendUnavailableError: its supervisor does not start, or does not obey.
        """
        told = self._told(environment)
        with self.state.lock(DOCUMENT):
            self._kill_hanging()
            mark = self.state.read(DOCUMENT).get("mark")
            if mark is None:  # nothing runs, or what an earlier version has started
                self._end()
            if self.supervisor() is None:
                self._start_supervisor(told)
            elif mark != told[MARK]:
                self._replace(told)

    def wait(self) -> str:
        """Wait until it can serve, and return its public address.

        Raises:
            BackendUnavailableError: it cannot; the message names what is in its way, and its log.
        """
        since = {"silent": time.monotonic()}
        found = wait_until(lambda: self._outcome(since), math.inf)
        if found != _SERVES:
            raise self._unavailable(found)
        return self.address()

    def stop(self) -> bool:
        """Stop it. False where none runs."""
        if not self.state.root.is_dir():
            return False
        with self.state.lock(DOCUMENT):
            return self._end()

    def _end(self) -> bool:
        # A supervisor ends its backend; one that goes on alone is ended here.
        running = self.supervisor() or self.process()
        if running is not None:
            end([running], 2 * LEAVE_SECONDS)
        return running is not None

    def process(self) -> psutil.Process | None:
        """The process that serves users."""
        return backend_of(self.state)

    def supervisor(self) -> psutil.Process | None:
        """The supervisor's process."""
        told = (HOME, str(self.state.root))
        return found_process(self.state.read(DOCUMENT).get("pid"), MODULE, told)

    def _outcome(self, since: dict[str, float]) -> str:
        """That it serves, or what is wrong with it; an empty text while neither is known. When it
        first said which word is kept in `since`."""
        failed = self.state.read(DOCUMENT).get("failed", 0) >= _MOST_FAILED
        word = self._word(1.0 if failed else _PATIENCE_SECONDS)
        if word == "ready":
            return _SERVES
        # A database may answer a little later; one that is not there will not come.
        allowed = _PATIENCE_SECONDS if word == "not ready" else START_SECONDS
        waited = time.monotonic() - since.setdefault(word, time.monotonic())
        if self.url is None or waited > allowed or (failed and word == "silent"):
            return self._unready() if word == "not ready" else "is not there"
        return ""

    def _unready(self) -> str:
        found = self._ask("/ready", _PATIENCE_SECONDS)
        return f"is not ready: {in_the_way(found)}" if found else "is not there"

    def _word(self, seconds: float) -> Literal["ready", "not ready", "silent"]:
        found = self._ask("/ready", seconds)
        if found is None:
            return "silent"
        return "ready" if found.is_success else "not ready"

    def _ask(self, path: str, seconds: float) -> HttpAnswer | None:
        """What a page says; None where nothing answers."""
        url = self.url
        return http_answer(f"{url}{path}", seconds) if url else None

    def _kill_hanging(self) -> None:
        """One that has had the time to start and does not answer is started again."""
        process = self.process()
        if process is None:
            return
        patience = max(_PATIENCE_SECONDS, process.create_time() + START_SECONDS - time.time())
        answers = wait_until(
            lambda: self._ask("/health", _PATIENCE_SECONDS) is not None,
            patience,
            unless=lambda: self.process() != process,
        )
        if not answers:
            end([process], 0)

    def _start_supervisor(self, told: Environment) -> None:
        process = spawn(supervisor_command(self.state), told, self.log)
        if not self._obeys(told[MARK], process.pid, lambda: process.poll() is not None):
            process.kill()
            raise self._unavailable("has no supervisor: it does not start")

    def _replace(self, told: Environment) -> None:
        """Have the supervisor become another, which keeps the socket."""
        supervisor = self.supervisor()
        assert supervisor is not None  # the caller has found it
        self.state.write(TOLD, {"environment": dict(told), "folder": os.getcwd()})
        try:
            supervisor.send_signal(signal.SIGHUP)
            obeys = self._obeys(told[MARK], supervisor.pid, lambda: not lives(supervisor))
        finally:
            self.state.remove(TOLD)
        if not obeys:
            raise self._unavailable("is not replaced: its supervisor does not obey")

    def _obeys(self, mark: str, pid: int, gone: Callable[[], bool]) -> bool:
        """Wait until a supervisor has what is wanted serve, after what served before."""

        def recorded() -> bool:
            known = self.state.read(DOCUMENT)
            return (known.get("pid"), known.get("mark")) == (pid, mark)

        return wait_until(recorded, 2 * LEAVE_SECONDS + _SUPERVISOR_SECONDS, unless=gone)

    def _told(self, environment: Environment) -> dict[str, str]:
        mark = mark_of(environment, self.application)
        told = {**environment, HOME: str(self.state.root), "PYTHONPATH": _importable(environment)}
        return {**told, APPLICATION: self.application, MARK: mark}

    def _unavailable(self, what: str) -> BackendUnavailableError:
        return BackendUnavailableError(f"the backend {what}; read {self.log}")


def _importable(environment: Environment) -> str:
    """Where the program lies; the processes must not find other packages where they are started."""
    given = environment.get("PYTHONPATH")
    return f"{PROJECT_ROOT}{os.pathsep}{given}" if given else str(PROJECT_ROOT)
