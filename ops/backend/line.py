"""A connection to the supervisor of a state folder."""

import json
import socket
from types import TracebackType
from typing import Any, Self

from ops.backend.control_folder import supervisor_socket
from ops.errors import DatabaseUnavailableError
from ops.state_folder import StateFolder

# Longer than anything takes that is answered only when it is done.
_ANSWER_SECONDS = 180.0
_CONNECT_SECONDS = 5.0


class BackendUnavailableError(DatabaseUnavailableError):
    """The backend does not start, or cannot serve."""


class Line:
    """Commands go one way, an answer to each comes back.

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
