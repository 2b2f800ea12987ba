"""How a supervisor is reached: by a socket in a folder that is closed to others."""

import json
import os
import socket
import stat
import tempfile
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.state_folder import StateFolder

# Longer than anything takes that is answered only when it is done.
_ANSWER_SECONDS = 180.0
_CONNECT_SECONDS = 5.0
# A socket's path is limited to 107 bytes, and the longest name here takes 22 of them.
LONGEST_FOLDER = 80


def control_folder(state: StateFolder) -> Path:
    """The folder of the sockets, made where it is missing: below the state folder, or a temporary
    one where that lies too deep.

    Raises:
        ConfigurationError: somebody else has a folder of that name.
    """
    folder = state.root / "control"
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        digest = sha256(os.fsencode(state.root)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"sigmasight-{os.geteuid()}-control-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} belongs to somebody else; remove it")
    folder.chmod(0o700)
    return folder


def supervisor_socket(state: StateFolder) -> Path:
    """Where the supervisor hears commands."""
    return control_folder(state) / "supervisor.sock"


class BackendUnavailableError(DatabaseUnavailableError):
    """The backend does not start, or cannot serve."""


class Line:
    """A connection to the supervisor: commands go one way, an answer to each comes back.

    Raises:
        BackendUnavailableError: no supervisor runs, or it went away, or it refuses.
    """

    def __init__(self, state: StateFolder) -> None:
        self._log = state.root / "backend.log"
        self._end = socket.socket(socket.AF_UNIX)
        self._end.settimeout(_CONNECT_SECONDS)
        try:
            self._end.connect(str(supervisor_socket(state)))
        except OSError:
            self._end.close()
            raise self._gone() from None
        self._answers = self._end.makefile("rb")

    def ask(self, *, seconds: float = _ANSWER_SECONDS, **said: Any) -> dict[str, Any]:
        """Say something, and return what is answered."""
        try:
            self._end.settimeout(seconds)
            self._end.sendall(json.dumps(said).encode() + b"\n")
            line = self._answers.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise self._gone()
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise BackendUnavailableError(f"the backend {answer['refused']}; read {self._log}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._answers.close()
        self._end.close()

    def _gone(self) -> BackendUnavailableError:
        return BackendUnavailableError(
            f"no supervisor of the backend answers; run `sigmasight rebuild`, or read {self._log}"
        )
