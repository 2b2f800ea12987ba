"""The backend of a state folder: kept running by a supervisor, so that another can take its place
without anybody noticing."""

import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from app.chain_folders import PROJECT_ROOT
from ops.backend.child import BACKEND, LOOPBACK
from ops.backend.control import BackendUnavailableError, Line
from ops.backend.environment import marks_of, supervisor_mark
from ops.backend.supervision import CODE_VARIABLE, DOCUMENT
from ops.books.active_pair import Pair, active_pair
from ops.http_answer import http_answer
from ops.processes import HOME, end, found_process, lives, spawn
from ops.state_folder import StateFolder
from ops.waiting import wait_until

START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_PATIENCE_SECONDS = 10.0
_APPLICATION = "app.main:app"
_SUPERVISOR_SECONDS = 20.0
_SUPERVISOR = "ops.backend.supervisor"
_SERVES = "serves"


class HeldBackend:
    """Nobody is being served: users' requests wait in the public socket's queue.

    Attributes:
        cut: connections that were cut off, because their clients sent or read too slowly.
    """

    def __init__(self, state: StateFolder, line: Line, cut: int) -> None:
        self._state = state
        self._line = line
        self.cut = cut

    def flip(self, pair: Pair) -> None:
        """Make `pair` the one to be served from now on. The supervisor does it, so that it cannot
        happen after somebody serves again because the supervisor is gone.

        Raises:
            BackendUnavailableError: the supervisor is gone; nothing was changed.
        """
        try:
            self._line.ask(do="flip", pair=pair)
        except BackendUnavailableError:
            # It may have died after it did so, and before it said so.
            if active_pair(self._state, has_legacy=pair == "new") != pair:
                raise

    def release(self, pair: Pair) -> float:
        """Serve from `pair`, and return for how many seconds nobody was served.

        Raises:
            BackendUnavailableError: no backend of `pair` is to be had; the other one serves.
        """
        return float(self._line.ask(do="release", pair=pair)["seconds"])


@dataclass(frozen=True)
class SupervisedBackend:
    """The backends of a state folder, on the loopback address, left running like the databases.

    Attributes:
        application: what is served; tests serve smaller ones.
    """

    state: StateFolder
    application: str = _APPLICATION

    @property
    def log(self) -> Path:
        """What they say, readable by its owner alone."""
        return self.state.root / "backend.log"

    @property
    def url(self) -> str | None:
        """Where users reach the one that serves, or wait for it; None where none runs."""
        status = self._status()
        if status is not None:
            return self._address(status["port"])
        return self._address(self._port()) if self.process() else None

    @property
    def pair(self) -> Pair | None:
        """The pair that is served now."""
        status = self._status()
        if status is not None:
            served: Pair | None = status["serving"]
            return served
        process = self.process()
        alone = [each for each in self._recorded() if process and each["pid"] == process.pid]
        return alone[0]["pair"] if alone else None

    def ready(self) -> bool:
        """Whether it can serve right now: its databases are there, at their chains' heads."""
        return self._word(self.url) == "ready"

    def start(self, environment: Mapping[str, str], pair: Pair) -> None:
        """Have `pair` served; `wait` tells when it is. One of this code and configuration stays;
        another is replaced once its successor is ready, and nobody's request is lost."""
        spec = self._spec(environment, pair)
        with self.state.lock(DOCUMENT):
            self._have_supervisor()
            status = self._status() or {}
            wanted = status.get("wanted") == spec["marks"] and not status.get("failure")
            if wanted and status.get("changing"):
                return
            same = wanted and status.get("serving") == pair and status["marks"] == spec["marks"]
            if not (same and self._settles()):
                self._ask(do="serve", spec=spec, anew=bool(same), patience=_PATIENCE_SECONDS)

    def wait(self) -> str:
        """Wait until it can serve, and return its public address.

        Raises:
            BackendUnavailableError: it cannot; the message names its log.
        """
        begun = time.monotonic()
        found = wait_until(lambda: self._outcome(time.monotonic() - begun), math.inf)
        if found != _SERVES:
            raise BackendUnavailableError(f"the backend {found}; read {self.log}")
        return self._address(self._port())

    def _outcome(self, waited: float) -> str:
        """That it serves, or what is wrong with it; an empty text while neither is known."""
        status = self._status()
        if status and status["failure"]:
            return str(status["failure"])
        if status and status["changing"]:
            return "does not start" if waited > START_SECONDS else ""
        word = self._word(self.url)
        if word == "ready":
            return _SERVES
        # A database may answer a little later; one that is not there will not come.
        allowed = _PATIENCE_SECONDS if word == "not ready" else START_SECONDS
        if (status is None and self.process() is None) or waited > allowed:
            missing = "a database is missing or behind"
            return f"is not ready: {missing}" if word == "not ready" else "is not there"
        return ""

    def stage(self, environment: Mapping[str, str], pair: Pair) -> str:
        """Have a backend of `pair` stand by, and return its private address when it is ready.

        Raises:
            BackendUnavailableError: it does not start, or is not ready.
        """
        with self.state.lock(DOCUMENT):
            answer = self._ask(do="stage", spec=self._spec(environment, pair))
        address = self._address(answer["port"])
        if not wait_until(lambda: self._word(address) == "ready", _PATIENCE_SECONDS):
            raise BackendUnavailableError(
                f"the backend of the {pair} pair is not ready: a database is missing or behind; "
                f"read {self.log}"
            )
        return address

    def staged(self, pair: Pair) -> str | None:
        """The private address of a backend of `pair` that stands by, if there is one."""
        status = self._status() or {}
        found = status.get("staged", {}).get(pair)
        return self._address(found["port"]) if found else None

    @contextmanager
    def hold(self, stream_seconds: float, most_seconds: float) -> Iterator[HeldBackend]:
        """Serve nobody while the block runs: what is under way is finished, streams get
        `stream_seconds`, new requests wait. However the block ends, and also if this process does,
        the pair that the pointer names is served again; the supervisor sees to that also after
        `most_seconds`, whatever this process does.

        Raises:
            BackendUnavailableError: nothing is served.
        """
        with Line(self.state) as line:
            said = line.ask(do="hold", stream_seconds=stream_seconds, most_seconds=most_seconds)
            yield HeldBackend(self.state, line, int(said["cut"]))

    def retire(self, pair: Pair) -> None:
        """End the backend of a pair that is not served.

        Raises:
            BackendUnavailableError: it is served.
        """
        if self._status() is not None:
            self._ask(do="retire", pair=pair)

    def stop(self) -> bool:
        """Stop all of them. False where none runs."""
        if not self.state.root.is_dir():
            return False
        with self.state.lock(DOCUMENT):
            supervisor = self.supervisor()
            running = [each for each in (supervisor, *self._backends()) if each is not None]
            if supervisor is not None and self._status() is not None:
                with suppress(BackendUnavailableError):
                    self._ask(do="stop")
                wait_until(lambda: not lives(supervisor), _STOP_SECONDS)
            end(running, _STOP_SECONDS)
            return bool(running)

    def process(self) -> psutil.Process | None:
        """The process that serves users, or is to."""
        status = self._status()
        if status is not None:
            return self._find(status["pid"], BACKEND)
        # Without a supervisor, one backend at most goes on.
        return next(iter(self._backends()), None)

    def supervisor(self) -> psutil.Process | None:
        """The supervisor's process."""
        return self._find(self.state.read(DOCUMENT).get("pid"), _SUPERVISOR)

    def _find(self, pid: int | None, word: str) -> psutil.Process | None:
        return found_process(pid, word, (HOME, str(self.state.root)))

    def _backends(self) -> list[psutil.Process]:
        found = (self._find(each["pid"], BACKEND) for each in self._recorded())
        return [process for process in found if process is not None]

    def _recorded(self) -> list[dict[str, Any]]:
        recorded: list[dict[str, Any]] = self.state.read(DOCUMENT).get("backends", [])
        return recorded

    def _port(self) -> int:
        return int(self.state.read(DOCUMENT)["port"])

    def _address(self, port: int) -> str:
        return f"http://{LOOPBACK}:{port}"

    def _ask(self, **said: Any) -> dict[str, Any]:
        with Line(self.state) as line:
            return line.ask(**said)

    def _status(self) -> dict[str, Any] | None:
        """What the supervisor says of itself; None where none answers."""
        if not self.state.root.is_dir() or self.supervisor() is None:
            return None
        try:
            with Line(self.state) as line:
                return line.ask(do="status", seconds=_PATIENCE_SECONDS)
        except BackendUnavailableError:
            return None

    def _word(self, address: str | None) -> Literal["ready", "not ready", "silent"]:
        found = http_answer(f"{address}/ready", _PATIENCE_SECONDS) if address else None
        if found is None:
            return "silent"
        return "ready" if found.is_success else "not ready"

    def _settles(self) -> bool:
        """Whether what runs serves, or begins to within a while: it may have just been started."""
        return wait_until(
            self.ready, _PATIENCE_SECONDS, pause=0.1, unless=lambda: self.process() is None
        )

    def _spec(self, environment: Mapping[str, str], pair: Pair) -> dict[str, Any]:
        told = {**environment, "ACTIVE_PAIR": pair, HOME: str(self.state.root)}
        told["PYTHONPATH"] = _importable(environment)
        return {
            "pair": pair,
            "application": self.application,
            "environment": told,
            "folder": os.getcwd(),
            "marks": asdict(marks_of(told, self.application)),
        }

    def _have_supervisor(self) -> None:
        """Start the supervisor unless one of this code answers. The backend that serves goes on
        meanwhile, and the new supervisor finds it."""
        status, stale = self._status(), self.supervisor()
        if status and (status["changing"] or status.get("code") == supervisor_mark()):
            return
        if stale is not None:
            stale.kill()
            stale.wait(_STOP_SECONDS)
        words = [sys.executable, "-P", "-m", _SUPERVISOR, str(self.state.root)]
        process = spawn(words, self._supervisors_environment(), self.log)
        if not wait_until(
            self._status,
            _SUPERVISOR_SECONDS,
            pause=0.02,
            unless=lambda: process.poll() is not None,
        ):
            raise BackendUnavailableError(
                f"the supervisor of the backend does not start; read {self.log}"
            )

    def _supervisors_environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        known = {HOME: str(self.state.root), "PYTHONPATH": _importable(os.environ)}
        return {**kept, **known, CODE_VARIABLE: supervisor_mark()}


def _importable(environment: Mapping[str, str]) -> str:
    """Where the program lies; the processes must not find other packages where they are started."""
    given = environment.get("PYTHONPATH")
    return f"{PROJECT_ROOT}{os.pathsep}{given}" if given else str(PROJECT_ROOT)
