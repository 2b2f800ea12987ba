"""A whole rebuild by the installed command, watched for passwords while it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from flows.prefect_server import PrefectServer
from ops.backend.supervised import SupervisedBackend
from ops.connection import connect
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder

SECONDS_BETWEEN_LOOKS = 0.4
ROLES = ("superuser", "owner", "app", "readonly")


@dataclass
class Rebuilt:
    """A state folder that `sigmasight rebuild` has filled.

    Attributes:
        canary: stands in every password of it.
        overheard: command lines of all processes, and queries of Core's sessions, during the run.
    """

    home: Path
    prefect: PrefectServer
    canary: str
    pid: int = 0
    code: int | None = None
    output: str = ""
    overheard: set[str] = field(default_factory=set)

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.home)

    @property
    def databases(self) -> EmbeddedDatabases:
        return EmbeddedDatabases(self.state)

    def plant(self) -> None:
        """Give every password a value that is easily found."""
        self.state.create()
        names = [f"{database}_{role}" for database in NAMES for role in ROLES]
        self.state.write("secrets", {name: f"{self.canary}-{name}%/@é" for name in names})

    @property
    def environment(self) -> dict[str, str]:
        """What commands on this folder are told."""
        return {"SIGMASIGHT_HOME": str(self.home), "DEMO_PASSWORD": f"{self.canary}-demo"}

    def rebuild(self, **more: str) -> None:
        """Run the installed `sigmasight rebuild`, listening; its end is kept here."""
        assert self.prefect.api_url is not None  # it runs
        given = {"PATH": os.environ["PATH"], "PREFECT_API_URL": self.prefect.api_url}
        path = self.home.parent / f"{self.home.name}.output"
        with open(path, "w") as output:
            process = subprocess.Popen(
                [Path(sys.executable).parent / "sigmasight", "rebuild"],
                env={**given, **self.environment, **more},
                cwd=self.home,
                stdout=output,
                stderr=output,
            )
            self.pid = process.pid
            while self.code is None:
                self.overheard.update(_command_lines(), self._queries())
                try:
                    self.code = process.wait(SECONDS_BETWEEN_LOOKS)
                except subprocess.TimeoutExpired:
                    continue
        self.output = path.read_text()

    def _queries(self) -> list[str]:
        try:
            url = self.databases.server("core").url("postgres")
            with connect(url, application_name="tests") as connection:
                rows = connection.execute("SELECT query FROM pg_stat_activity").fetchall()
        except SigmaSightError:  # not there yet
            return []
        return [str(row[0]) for row in rows]


def discard(databases: EmbeddedDatabases) -> None:
    """Stop the servers and remove their data, which for root may lie outside the state folder."""
    SupervisedBackend(databases.state).stop()
    databases.down()
    shutil.rmtree((databases.state.root / "servers").resolve(), ignore_errors=True)


def _command_lines() -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        yield " ".join(process.info["cmdline"] or [])
