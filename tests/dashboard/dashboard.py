"""The dashboard as `sigmasight dashboard` leaves it, and its buttons, pressed over the API."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.chain_folders import PROJECT_ROOT
from flows.prefect_server import environment_of
from flows.worker import Worker
from ops.embedded.databases import NAMES
from ops.state_folder import StateFolder
from tests.acceptance.rebuilt import ROLES

RUN_SECONDS = 400.0
BUSY_SECONDS = 60.0
# Its tables are laid there, and nobody looks at the blocks that it knows: to see to both is a
# quarter of the server's start.
_QUICK = {
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
}
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
NAMED = (
    "rebuild",
    "backfill",
    "verify",
    "swap",
    "rollback",
    "follow",
    "backup",
    "cleanup",
    "rehearse",
)


@dataclass
class Dashboard:
    """A state folder with its server and worker.

    Attributes:
        home: stands in a folder of its own, which is also where its commands are typed.
        canary: stands in every password.
    """

    home: Path
    canary: str
    outputs: list[str] = field(default_factory=list)

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.home)

    @property
    def api_url(self) -> str:
        return str(self.state.read("prefect")["api_url"])

    @property
    def address(self) -> str:
        return self.api_url.removesuffix("/api")

    @property
    def worker(self) -> Worker:
        return Worker(self.state)

    @property
    def worker_process(self) -> psutil.Process:
        return psutil.Process(self.state.read("worker")["pid"])

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home.parent),
            "SIGMASIGHT_HOME": str(self.home),
            "DEMO_PASSWORD": f"{self.canary}-demo",
            **_QUICK,
        }

    def plant(self) -> None:
        """Give every password a value that is easily found."""
        self.state.create()
        names = [f"{database}_{role}" for database in NAMES for role in ROLES]
        self.state.write("secrets", {name: f"{self.canary}-{name}" for name in names})

    def run(self, *words: str, code: int = 0, cwd: Path | None = None, **more: str) -> str:
        """Run a program of the virtual environment to its end; returns what it said."""
        done = subprocess.run(
            words,
            env={**self.environment, **more},
            cwd=cwd or self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
        )
        self.outputs.append(done.stdout)
        assert done.returncode == code, done.stdout
        return done.stdout

    def deploy_by_hand(self) -> str:
        """`prefect deploy --all`, as a person types it in the project's folder."""
        told = {**environment_of(self.state), "PREFECT_API_URL": self.api_url}
        words = ("prefect", "--no-prompt", "deploy", "--all")
        return self.run(*words, cwd=PROJECT_ROOT, COLUMNS="200", **told)

    def get(self, path: str) -> Any:
        return self._answer("GET", path).json()

    def ask(self, path: str, question: Any) -> Any:
        return self._answer("POST", path, question).json()

    def _answer(self, method: str, path: str, question: Any = None) -> httpx.Response:
        """As Prefect's own client, asked again while the server's database is busy."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = httpx.request(method, f"{self.api_url}/{path}", json=question, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                return answer.raise_for_status()
            time.sleep(0.5)

    def deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"deployments/name/{name}/{name}")
        return found

    def press(self, name: str, **parameters: Any) -> str:
        """The deployment's button, with a form filled in; returns the run's id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.ask(path, {"parameters": parameters})["id"])

    def flow_run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"flow_runs/{run_id}")
        return found

    def await_state(self, run_id: str, *types: str, seconds: float = RUN_SECONDS) -> dict[str, Any]:
        """The run, once its state is of one of these types or final."""
        deadline = time.monotonic() + seconds
        while (run := self.flow_run(run_id))["state_type"] not in {*types, *FINAL}:
            assert time.monotonic() < deadline, (run["state"], self.worker_log())
            time.sleep(0.2)
        return run

    def log(self, run_id: str) -> list[str]:
        """What the run's page says, without what the worker says of starting it."""
        question = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        return [str(line["message"]) for line in self.ask("logs/filter", question)]

    def await_log(self, run_id: str, line: str) -> str:
        """All of the log, once it has a line; it comes a little after the final state."""
        deadline = time.monotonic() + 120
        while line not in (text := "\n".join(self.log(run_id))):
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        return text

    def worker_log(self) -> str:
        return (self.home / "worker.log").read_text()[-3000:]

    def schedules(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.deployment(name)["schedules"]
        return found

    def planned_runs(self, name: str) -> list[dict[str, Any]]:
        """What the server has planned, once it has been told not to wait a minute for it."""
        deployment = self.deployment(name)["id"]
        years = {"end_time": str(datetime.now(UTC) + timedelta(days=800)), "min_runs": 5}
        for _ in range(2):
            self.ask(f"deployments/{deployment}/schedule", years)
        question = {
            "deployments": {"id": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        return list(self.ask("flow_runs/filter", question))


def shape(deployment: dict[str, Any]) -> dict[str, Any]:
    """A deployment as far as it is declared, comparable between two ways to register it."""
    given = (
        "name description tags entrypoint parameters parameter_openapi_schema pull_steps "
        "work_pool_name job_variables concurrency_options enforce_parameter_schema paused"
    )
    found = {name: deployment[name] for name in given.split()}
    found["limit"] = deployment["global_concurrency_limit"]["limit"]
    found["schedules"] = [
        {name: one[name] for name in ("id", "slug", "schedule", "active", "parameters")}
        for one in deployment["schedules"]
    ]
    return dict(json.loads(json.dumps(found, sort_keys=True)))
