"""The worker of a state folder: takes the runs that the dashboard and the schedules ask for."""

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from flows.prefect_server import PrefectServer, environment_of
from ops.errors import DatabaseUnavailableError
from ops.http_answer import http_answer
from ops.processes import HOME, ManagedProcess
from ops.state_folder import StateFolder
from ops.waiting import wait_until

WORK_POOL = "sigmasight"
START_SECONDS = 60.0
LOOK_SECONDS = 2  # how often it asks for work
# A run in its place ends by itself; the worker only has to tell it. One that has none in hand takes
# leave of its server for longer than that, once it has been there for minutes (Prefect 3.9.1).
_STOP_SECONDS, _IDLE_SECONDS = 20.0, 2.0


@dataclass(frozen=True)
class Worker:
    """A process that looks every few seconds for runs of the work pool, and starts each in a
    process of its own, with the environment and in the folder of the worker."""

    state: StateFolder

    @property
    def name(self) -> str:
        """What the dashboard calls it: the process of this moment, so that an old one of the same
        folder is not taken for it."""
        return str(self.state.read("worker").get("name", ""))

    def start(self) -> bool:
        """Start a worker for the state folder's server unless one runs; `wait` tells when it is
        there. False where one runs already."""
        api_url = PrefectServer(self.state).api_url
        with self.state.lock("worker"):
            if self.runs():
                if self._recorded.document.get("api_url") == api_url:
                    return False
                self._end()
            self._spawn(str(api_url))
        return True

    def _spawn(self, api_url: str) -> None:
        name = f"{self.state.root.name.lstrip('.')}-{int(time.time())}"
        told = {
            "PREFECT_API_URL": api_url,
            "PREFECT_WORKER_QUERY_SECONDS": str(LOOK_SECONDS),
        }
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL]
        self._recorded.start(
            [*command, "--type", "process", "--name", name],
            {**os.environ, **environment_of(self.state), **told},
            name=name,
            api_url=api_url,
        )

    def wait(self) -> None:
        """Wait until the server knows the worker.

        Raises:
            DatabaseUnavailableError: it does not come up; the message names its log.
        """
        if not wait_until(self.is_online, START_SECONDS, pause=0.2, unless=self._is_gone):
            raise DatabaseUnavailableError(
                f"the worker does not come up; read {self._recorded.log}, "
                "then `sigmasight dashboard` again"
            )

    def is_online(self) -> bool:
        """Whether the process lives and the server has heard of it."""
        api_url = self._recorded.document.get("api_url")
        if self._is_gone() or not api_url:
            return False
        question = {"workers": {"status": {"any_": ["ONLINE"]}}}
        answer = http_answer(f"{api_url}/work_pools/{WORK_POOL}/workers/filter", 5.0, body=question)
        if answer is None or not answer.is_success:
            return False
        with suppress(ValueError, KeyError):
            return self.name in {worker["name"] for worker in answer.json()}
        return False

    def runs(self) -> bool:
        """Whether the process lives."""
        return self._recorded.find() is not None

    def stop(self) -> bool:
        """Stop the worker, and the runs that it has in hand; False where none runs."""
        with self.state.lock("worker"):
            return self._end()

    def _end(self) -> bool:
        return self._recorded.stop(_STOP_SECONDS, alone=_IDLE_SECONDS)

    @property
    def _recorded(self) -> ManagedProcess:
        # By its name too, which no other worker has.
        return ManagedProcess(self.state, "worker", self.name, (HOME, str(self.state.root)))

    def _is_gone(self) -> bool:
        return not self.runs()
