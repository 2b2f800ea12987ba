"""The background backend of a state folder: found where it runs, started where it does not."""

import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import psutil

from app.config import Settings
from app.migration_environment import PROJECT_ROOT
from ops.backend.foreground import uvicorn_command
from ops.embedded.server import LOOPBACK
from ops.errors import DatabaseUnavailableError
from ops.state_folder import StateFolder

START_SECONDS = 60.0
_DOCUMENT = "backend"
_USUAL_PORT = 8000
_STOP_SECONDS = 15.0
_PATIENCE_SECONDS = 10.0


class BackendUnavailableError(DatabaseUnavailableError):
    """The backend does not start, or cannot serve."""


@dataclass(frozen=True)
class BackgroundBackend:
    """One backend a state folder, on the loopback address, left running like the databases."""

    state: StateFolder

    @property
    def log(self) -> Path:
        """What it says, readable by its owner alone."""
        return self.state.root / "backend.log"

    @property
    def url(self) -> str | None:
        """Where it is, or None where it does not run."""
        return self._recorded_url() if self.process() else None

    def ready(self) -> bool:
        """Whether it can serve right now: its databases are there, at their chains' heads."""
        return self._word() == "ready"

    def _word(self) -> Literal["ready", "not ready", "silent"]:
        url = self.url
        if url is None:
            return "silent"
        try:
            found = httpx.get(f"{url}/ready", timeout=_PATIENCE_SECONDS, trust_env=False)
        except httpx.HTTPError:
            return "silent"
        return "ready" if found.is_success else "not ready"

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it unless one of this code and configuration serves; `wait` tells when it does."""
        marks = {"code": _code_mark(), "configuration": _configuration_mark(environment)}
        with self.state.lock("backend"):
            known = self.state.read(_DOCUMENT)
            if all(known.get(name) == mark for name, mark in marks.items()) and self._settles():
                return
            self._stop()
            self._spawn(environment, marks, int(known.get("port", _USUAL_PORT)))

    def wait(self) -> str:
        """Wait until it can serve, and return its address.

        Raises:
            BackendUnavailableError: it cannot; the message names its log.
        """
        begun = time.monotonic()
        while (word := self._word()) != "ready":
            waited = time.monotonic() - begun
            # A database may answer a little later; one that is not there will not come.
            allowed = _PATIENCE_SECONDS if word == "not ready" else START_SECONDS
            if self.process() is None or waited > allowed:
                raise BackendUnavailableError(
                    f"the backend is {self._fault(word)}; read {self.log}"
                )
            time.sleep(0.1)
        return self._recorded_url()

    def _fault(self, word: str) -> str:
        return "not ready: a database is missing or behind" if word == "not ready" else "not there"

    def stop(self) -> bool:
        """Stop it. False where none runs."""
        if not self.state.root.is_dir():
            return False
        with self.state.lock("backend"):
            return self._stop()

    def process(self) -> psutil.Process | None:
        """The running backend. A stranger whom its number has passed to is none."""
        pid = self.state.read(_DOCUMENT).get("pid")
        try:
            process = psutil.Process(pid) if pid else None
            return process if process and self._is_ours(process) else None
        except psutil.Error:
            return None

    def _is_ours(self, process: psutil.Process) -> bool:
        served = "app.main:app" in process.cmdline()
        return served and process.environ().get("SIGMASIGHT_HOME") == str(self.state.root)

    def _recorded_url(self) -> str:
        return f"http://{LOOPBACK}:{self.state.read(_DOCUMENT)['port']}"

    def _settles(self) -> bool:
        """Whether what runs serves, or begins to within a while: it may have just been started."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.process() is not None:
            if self.ready():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return False

    def _stop(self) -> bool:
        process = self.process()
        if process is None:
            return False
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=_STOP_SECONDS)
        for survivor in alive:
            survivor.kill()
        psutil.wait_procs(alive, timeout=_STOP_SECONDS)
        return True

    def _spawn(self, environment: Mapping[str, str], marks: Mapping[str, str], port: int) -> None:
        with _listening(port) as listener, open(self.log, "a", opener=_private) as log:
            process = subprocess.Popen(
                uvicorn_command("--fd", str(listener.fileno())),
                env=dict(environment),
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            here = {"pid": process.pid, "port": listener.getsockname()[1]}
        self.state.write(_DOCUMENT, {**here, **marks})


@contextmanager
def _listening(preferred: int) -> Iterator[socket.socket]:
    """A socket that listens on the preferred port, or on any that is free. The backend inherits
    it: no other process can take the port while it starts, and early callers are kept waiting."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit this; the backend does not set it on a socket it is given.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((LOOPBACK, preferred))
        except OSError:
            listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener


def _code_mark() -> str:
    """A digest of what a running backend has loaded."""
    digest = hashlib.sha256()
    for path in sorted((PROJECT_ROOT / "app").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _configuration_mark(environment: Mapping[str, str]) -> str:
    """A digest of the backend's settings. The signing key goes into it, so that it cannot be
    tried out what the settings are."""
    told = {name: environment.get(name) for name in sorted(Settings.model_fields)}
    dotenv = Path(".env")
    file = dotenv.read_text(errors="replace") if dotenv.is_file() else ""
    return hashlib.sha256(json.dumps([told, file]).encode()).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
