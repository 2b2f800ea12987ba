"""The worker of a state folder: takes the runs that the dashboard and the schedules ask for."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import httpx
import psutil

from flows.prefect_server import PrefectServer, environment_of, private_file
from ops.errors import DatabaseUnavailableError
from ops.state_folder import StateFolder

WORK_POOL = "sigmasight"
START_SECONDS = 60.0
LOOK_SECONDS = 2  # how often it asks for work
_DOCUMENT = "worker"
# A run in its place ends by itself; the worker only has to tell it.
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Worker:
    """A process that looks every few seconds for runs of the work pool, and starts each in a
    process of its own, with the environment and in the folder of the worker."""

    state: StateFolder

    @property
    def name(self) -> str:
        """What the dashboard calls it: the process of this moment, so that an old one of the same
        folder is not taken for it."""
        return str(self.state.read(_DOCUMENT).get("name", ""))

    def start(self) -> bool:
        """Start a worker for the state folder's server unless one runs; `wait` tells when it is
        there. False where one runs already."""
        api_url = PrefectServer(self.state).api_url
        with self.state.lock("worker"):
            if self._process() is not None:
                if self.state.read(_DOCUMENT).get("api_url") == api_url:
                    return False
                self._end()
            self._spawn(str(api_url))
        return True

    def _spawn(self, api_url: str) -> None:
        name = f"{self.state.root.name.lstrip('.')}-{int(time.time())}"
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL]
        told = {
            "PREFECT_API_URL": api_url,
            "SIGMASIGHT_HOME": str(self.state.root),
            "PREFECT_WORKER_QUERY_SECONDS": str(LOOK_SECONDS),
        }
        with open(self.state.root / "worker.log", "a", opener=private_file) as log:
            process = subprocess.Popen(
                [*command, "--type", "process", "--name", name],
                env={**os.environ, **environment_of(self.state), **told},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.state.write(_DOCUMENT, {"name": name, "api_url": api_url, "pid": process.pid})

    def wait(self) -> None:
        """Wait until the server knows the worker.

        Raises:
            DatabaseUnavailableError: it does not come up; the message names its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_online():
            if self._process() is None or time.monotonic() > deadline:
                log = self.state.root / "worker.log"
                raise DatabaseUnavailableError(
                    f"the worker does not come up; read {log}, then `sigmasight dashboard` again"
                )
            time.sleep(0.2)

    def is_online(self) -> bool:
        """Whether the process lives and the server has heard of it."""
        api_url = self.state.read(_DOCUMENT).get("api_url")
        if self._process() is None or not api_url:
            return False
        question = {"workers": {"status": {"any_": ["ONLINE"]}}}
        try:
            answer = httpx.post(
                f"{api_url}/work_pools/{WORK_POOL}/workers/filter", json=question, timeout=5.0
            )
            return self.name in {worker["name"] for worker in answer.raise_for_status().json()}
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def stop(self) -> bool:
        """Stop the worker, and the runs that it has in hand; False where none runs."""
        with self.state.lock("worker"):
            return self._end()

    def _end(self) -> bool:
        process = self._process()
        if process is None:
            return False
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for member in family:
            if member.is_running():
                member.kill()
        return True

    def _process(self) -> psutil.Process | None:
        pid = self.state.read(_DOCUMENT).get("pid")
        try:
            process = psutil.Process(pid) if pid else None
            # By its name too, because process ids come back.
            return process if process and self.name in process.cmdline() else None
        except psutil.Error:
            return None
