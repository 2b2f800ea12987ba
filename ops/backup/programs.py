"""Which pg_dump and pg_restore: of the server's own version or a newer one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ops.connection import conninfo
from ops.embedded.account import Account
from ops.embedded.binaries import program_folder
from ops.errors import ConfigurationError, DatabaseUnavailableError, VerificationError

_PACKAGED = (16, 18)
_PASSWORD_PARAMETERS = ("password", "sslpassword")

# What a copy of a database alone is restored with: what else its server has stays behind.
RESTORE_ALONE = (
    "--exit-on-error",
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
)


@dataclass(frozen=True)
class Programs:
    """pg_dump and pg_restore of one major version."""

    folder: Path
    major_version: int

    def start(
        self,
        program: str,
        arguments: list[str],
        url: URL,
        *,
        source: "Running | None" = None,
        **options: Any,
    ) -> "Running":
        """Start a program on a database. Its password is in the environment, never in the words
        that a list of processes shows.

        Args:
            source: whose output it reads; by default it reads nothing.
        """
        words = [str(self.folder / program), "--no-password", *arguments]
        words.append(f"--dbname={_without_password(url)}")
        process = subprocess.Popen(
            words,
            env=_environment(url),
            stdin=source.process.stdout if source else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **options,
        )
        if source is not None and source.process.stdout is not None:
            source.process.stdout.close()  # so that its writer notices when we end
        return Running(program, process)


@dataclass(frozen=True)
class Running:
    """A program that was started; it is ended with the block that started it."""

    name: str
    process: "subprocess.Popen[bytes]"

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def finish(self) -> None:
        """Wait for its end.

        Raises:
            DatabaseUnavailableError: it lost the server.
            ConfigurationError: pg_dump failed; the line is its own.
            VerificationError: pg_restore failed: what was dumped cannot be restored.
        """
        _, said = self.process.communicate()
        if self.process.returncode == 0:
            return
        line = failure_line(said.decode(errors="replace"))
        if re.search(r"server closed the connection|connection to server", line):
            raise DatabaseUnavailableError(f"{self.name} lost the server; run it again ({line})")
        refusal = VerificationError if self.name == "pg_restore" else ConfigurationError
        raise refusal(f"{self.name} failed: {line}")


def programs_for(server_major: int) -> Programs:
    """The oldest programs that know a server of this version.

    Raises:
        ConfigurationError: the server is newer than all there are.
    """
    known = sorted(_available(), key=lambda found: found.major_version)
    for found in known:
        if found.major_version >= server_major:
            return found
    newest = known[-1].major_version if known else "none"
    raise ConfigurationError(
        f"the server is PostgreSQL {server_major} and the newest pg_dump here is {newest}; "
        f"put pg_dump and pg_restore {server_major} on PATH"
    )


def _available() -> Iterator[Programs]:
    us = Account(os.geteuid(), os.getegid(), switched=False)
    for major in _PACKAGED:
        try:
            yield Programs(program_folder(us, major), major)
        except ConfigurationError:  # not on this platform
            continue
    yield from _on_path()


def _on_path() -> Iterator[Programs]:
    dump = shutil.which("pg_dump")
    if dump is None:
        return
    folder = Path(dump).parent
    printed = subprocess.run([dump, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"\) (\d+)", printed)
    if version and shutil.which("pg_restore", path=str(folder)):
        yield Programs(folder, int(version[1]))


def _without_password(url: URL) -> str:
    # `URL.set` takes None for "as it is".
    hidden = url._replace(password=None)
    return conninfo(hidden.difference_update_query(_PASSWORD_PARAMETERS))


def _environment(url: URL) -> dict[str, str]:
    if "sslpassword" in url.query:
        raise ConfigurationError(
            "pg_dump would show the URL's sslpassword to other users; use a key without one"
        )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    password = url.password or url.query.get("password")
    return {**kept, "LC_ALL": "C", **({"PGPASSWORD": str(password)} if password else {})}


def failure_line(output: str) -> str:
    """What a program says is wrong, of all that it says."""
    lines = output.strip().splitlines() or ["no message"]
    return next((line for line in lines if "error:" in line or "FATAL" in line), lines[-1])
