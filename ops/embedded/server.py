"""One embedded PostgreSQL server: made once, started and stopped, found again after a crash."""

import os
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import psutil
from sqlalchemy.engine import URL

from ops.embedded.account import Account
from ops.embedded.binaries import MAJOR_VERSION, program_folder
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.processes import found_process
from ops.waiting import wait_until

SUPERUSER = "postgres"
LOOPBACK = "127.0.0.1"
START_ATTEMPTS_SECONDS = 30.0
_LONGEST_SOCKET_FOLDER = 85

# Durable defaults, sized for a laptop: room for the batch's bulk loads, no surprise from JIT.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "max_connections": "60",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "logging_collector": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class EmbeddedServer:
    """A server in a folder of its own.

    Attributes:
        folder: holds `data/` and `server.log`; closed to everyone but the server's account.
        password: the superuser's, used when the server is made.
        settings: server settings beyond the defaults of this module.
    """

    folder: Path
    account: Account
    password: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    major_version: int = MAJOR_VERSION

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def exists(self) -> bool:
        """Whether the server has been made, whole."""
        return (self.data / "PG_VERSION").exists()

    def create(self) -> None:
        """Make the data folder. A half-made one cannot be seen: it is renamed when complete."""
        if self.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.account.own(self.folder)
        part = self.folder / f"data.{secrets.token_hex(4)}.part"
        for leftover in self.folder.glob("data.*.part"):
            shutil.rmtree(leftover)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".pw") as file:
            file.write(self.password)
            file.flush()
            self.account.own(Path(file.name))
            self._run(_initdb_arguments(part, file.name, {**_SETTINGS, **self.settings}))
        part.rename(self.data)

    def start(self, port: int) -> None:
        """Start the server on `port` of the loopback address, unless it runs already.

        After a SIGKILL of the postmaster its children need a moment to leave; until then the
        new one refuses, so the start is tried again.

        Raises:
            DatabaseUnavailableError: it does not start; the message names its log file.
        """
        if not wait_until(lambda: self._runs(port), START_ATTEMPTS_SECONDS, pause=0.25):
            raise DatabaseUnavailableError(
                f"the embedded server in {self.folder} does not start; read {self.log}"
            )

    def stop(self) -> None:
        """Stop the server if it runs: sessions are cut off, committed data is on disk."""
        if self.process() is not None:
            self._run(["pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop"])

    def remove(self) -> None:
        """Stop the server, and remove its data, log and socket folder."""
        self.stop()
        sockets = self._socket_folder() if self.folder.exists() else self.folder
        for folder in (self.folder, sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def process(self) -> psutil.Process | None:
        """The running postmaster of this very data folder, if any."""
        return found_process(self._recorded_pid(), str(self.data))

    def running_port(self) -> int | None:
        """The port of the running server, or None where it does not run."""
        if self.process() is None:
            return None
        return int(self._pid_file().read_text().splitlines()[3])

    def url(self, database: str = "postgres") -> URL:
        """The superuser's address of a database of the running server.

        Raises:
            DatabaseUnavailableError: the server does not run.
        """
        port = self.running_port()
        if port is None:
            raise DatabaseUnavailableError(
                f"the embedded server in {self.folder} does not run; run `sigmasight up`"
            )
        return loopback_url(port, SUPERUSER, self.password, database)

    def _runs(self, port: int) -> bool:
        """Whether it runs already, or does now."""
        if self.process() is not None:
            return True
        self._forget_foreign_pid()
        sockets = self._socket_folder()
        options = f"-p {port} -k {shlex.quote(str(sockets))}"
        arguments = ["pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "60"]
        return self._run([*arguments, "-o", options, "start"], check=False) == 0

    def _socket_folder(self) -> Path:
        # A socket's path is limited to about 100 bytes, so it may not stand below a long folder.
        if len(str(self.folder)) <= _LONGEST_SOCKET_FOLDER:
            return self.folder
        digest = sha256(str(self.data).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"sigmasight-{self.account.uid}-{digest}"
        try:
            folder.mkdir(mode=0o700)
            self.account.own(folder)
        except FileExistsError:
            self._refuse_foreign(folder)
        return folder

    def _refuse_foreign(self, folder: Path) -> None:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != self.account.uid:
            raise ConfigurationError(f"{folder} belongs to somebody else; remove it")

    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file().read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _forget_foreign_pid(self) -> None:
        """Drop a pid file whose number belongs, after a reboot, to some other living program."""
        pid = self._recorded_pid()
        if pid and psutil.pid_exists(pid) and self.process() is None:
            self._pid_file().unlink(missing_ok=True)

    def _run(self, arguments: list[str], *, check: bool = True) -> int:
        program, *rest = arguments
        folder = program_folder(self.account, self.major_version)
        result = subprocess.run(
            [str(folder / program), *rest],
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if check else subprocess.DEVNULL,
            text=True,
            **self.account.popen_options(),
        )
        if check and result.returncode != 0:
            reason = _failure_line(result.stderr or "")
            raise DatabaseUnavailableError(f"{program} failed in {self.folder}: {reason}")
        return result.returncode


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _failure_line(output: str) -> str:
    lines = output.strip().splitlines() or ["no message"]
    return next((line for line in lines if "FATAL" in line or "error:" in line), lines[-1])


def loopback_url(port: int, role: str, password: str, database: str) -> URL:
    """The address of a database of an embedded server."""
    return URL.create("postgresql+psycopg", role, password, LOOPBACK, port, database)


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _initdb_arguments(data: Path, password_file: str, settings: Mapping[str, str]) -> list[str]:
    arguments = ["initdb", "-D", str(data), "-U", SUPERUSER, f"--pwfile={password_file}"]
    arguments += ["--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-instructions"]
    for name, value in settings.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments
