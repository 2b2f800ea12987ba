"""The Prefect server of a state folder: found where one answers, started where none does."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from ops.embedded.server import LOOPBACK, free_port, port_is_free
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.http_answer import http_answer
from ops.processes import ManagedProcess
from ops.state_folder import StateFolder
from ops.waiting import wait_until

START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_PROGRAM = "prefect"
_USUAL_PORT = 4200
# Pages that ask the server that they come from, whatever its port, also through a tunnel.
_PAGES = {"PREFECT_SERVER_UI_API_URL": "/api"}
_LEASES = "prefect.server.concurrency.lease_storage.filesystem"
_LINE = "%(asctime)s %(_RUN_run_name)s: %(message)s"


@dataclass(frozen=True)
class PrefectServer:
    """Where flow runs are recorded.

    Attributes:
        state: its home; used when no PREFECT_API_URL names another server.
    """

    state: StateFolder

    @property
    def api_url(self) -> str | None:
        """The address that the environment gives, or of the server started here."""
        return os.environ.get("PREFECT_API_URL") or self._recorded.document.get("api_url")

    @property
    def dashboard(self) -> str | None:
        """What to open in a browser."""
        return self.api_url.removesuffix("/api") if self.api_url else None

    def answers(self) -> bool:
        """Whether the server is there right now. What answers in the place of one that was
        started here and is gone is somebody else's."""
        if self.api_url is None or self._is_gone():
            return False
        answer = http_answer(f"{self.api_url}/health", 2.0)
        return answer is not None and answer.is_success

    def start(self) -> None:
        """Start a server in the background unless one answers; `wait` tells when it is up.

        Raises:
            ConfigurationError: the environment names a server, and it does not answer.
        """
        if not self.ours:
            if self.answers():
                return
            raise ConfigurationError(
                f"no Prefect server answers at PREFECT_API_URL ({self.api_url}); "
                "start it, or unset PREFECT_API_URL to have one started here"
            )
        with self.state.lock("prefect"):
            if not self.runs():
                self._spawn()

    def _spawn(self) -> None:
        port = _USUAL_PORT if port_is_free(_USUAL_PORT) else free_port()
        command = [sys.executable, "-m", _PROGRAM, "server", "start"]
        self._recorded.start(
            [*command, "--host", LOOPBACK, "--port", str(port)],
            {**os.environ, **environment_of(self.state), **_PAGES},
            api_url=f"http://{LOOPBACK}:{port}/api",
        )

    def wait(self) -> str:
        """Wait until the server answers, make it this process's, and return its API address.

        Raises:
            DatabaseUnavailableError: it does not come up; the message names its log.
        """
        comes_up = self._comes_up()
        if not comes_up and self._has_lost_its_port():
            self.start()
            comes_up = self._comes_up()
        if not comes_up:
            raise DatabaseUnavailableError(
                f"the Prefect server does not answer at {self.api_url}; read {self._recorded.log}"
            )
        os.environ.update(environment_of(self.state))
        assert self.api_url is not None  # it has just answered
        os.environ["PREFECT_API_URL"] = self.api_url
        if self.ours:  # it asks for no such token, which each flow run would fetch first
            os.environ["PREFECT_CLIENT_CSRF_SUPPORT_ENABLED"] = "false"
        return self.api_url

    def runs(self) -> bool:
        """Whether the process of the server that was started here lives."""
        return self._recorded.find() is not None

    def stop(self) -> bool:
        """Stop the server that was started here; its history stays. False where none runs."""
        return self.ours and self._recorded.stop(_STOP_SECONDS)

    @property
    def ours(self) -> bool:
        """Whether it is started here, not somebody else's that the environment names."""
        named = os.environ.get("PREFECT_API_URL")
        return not named or named == self._recorded.document.get("api_url")

    @property
    def _recorded(self) -> ManagedProcess:
        home = str(self.state.root / "prefect")
        return ManagedProcess(self.state, "prefect", _PROGRAM, ("PREFECT_HOME", home))

    def _comes_up(self) -> bool:
        def answers() -> bool:
            return self.answers() and self._listens()

        return wait_until(answers, START_SECONDS, pause=0.1, unless=self._is_gone)

    def _listens(self) -> bool:
        """Whether what answers is the server that was started here, if one was: another may have
        started at the same moment and taken the port first."""
        process = self._recorded.find()
        with suppress(psutil.NoSuchProcess):
            found = process.net_connections("tcp") if process else []
            return not self.ours or self._port in {each.laddr.port for each in found if each.laddr}
        return False

    @property
    def _port(self) -> int | None:
        return urlsplit(self.api_url or "").port

    def _has_lost_its_port(self) -> bool:
        return self._is_gone() and self._port is not None and not port_is_free(self._port)

    def _is_gone(self) -> bool:
        return self.ours and not self.runs()


def environment_of(state: StateFolder) -> dict[str, str]:
    """What Prefect's own processes, and those that run flows, are told."""
    return {
        "PREFECT_HOME": str(state.root / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "DO_NOT_TRACK": "1",
        # A killed server must not forget which run has the only place of its deployment.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _LEASES,
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_DATEFMT": "%H:%M:%S",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": _LINE.replace("_RUN", "flow"),
        "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": _LINE.replace("_RUN", "task"),
    }
