"""The plan's start command in the foreground: both chains to their heads, then the backend."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

from app.chain_folders import PROJECT_ROOT
from ops.errors import ConfigurationError, SigmaSightError

CHAINS = ("alembic.ini", "alembic_ai.ini")
SHUTDOWN_SECONDS = 10
# A client that reuses a connection should be the one to end it: whichever end closes first may
# cross a request on its way. Clients keep theirs for 5 to 60 seconds.
KEEP_ALIVE_SECONDS = 75


class StartStoppedError(SigmaSightError):
    """A step of the start command failed; the message is what it said."""


def refuse_taken_address(host: str, port: int) -> None:
    """Find out, before anything else is done, whether a server could listen here.

    Raises:
        ConfigurationError: it could not.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"the backend cannot listen on port {port} of {host} "
            f"({error.strerror or 'unknown host'}); choose others with --host and --port"
        ) from None


def migrate(environment: Mapping[str, str]) -> None:
    """`alembic upgrade head` for Core, then for AI. Safe when two instances start at once.

    Raises:
        StartStoppedError: a chain refused or failed.
    """
    for ini in CHAINS:
        words = ["-m", "alembic", "-c", str(PROJECT_ROOT / ini), "upgrade", "head"]
        done = subprocess.run(
            [sys.executable, *words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StartStoppedError(_reason(done.stdout, done.stderr))


def become_backend(host: str, port: int, environment: Mapping[str, str]) -> NoReturn:
    """Turn this process into the backend, so that signals reach it and nothing stands between."""
    words = uvicorn_command("app.main:app", "--host", host, "--port", str(port))
    sys.stdout.flush()
    os.execve(words[0], words, dict(environment))


def uvicorn_command(application: str, *where: str) -> list[str]:
    """The command line of a backend that listens `where`. Streams that are still open at its end
    are cut after a while."""
    program = [sys.executable, "-P", "-m", "uvicorn", application, "--app-dir", str(PROJECT_ROOT)]
    ends = ["--timeout-graceful-shutdown", str(SHUTDOWN_SECONDS)]
    return [*program, *where, *ends, "--timeout-keep-alive", str(KEEP_ALIVE_SECONDS)]


def _reason(stdout: str, stderr: str) -> str:
    lines = [line for text in (stdout, stderr) for line in text.strip().splitlines()]
    failed = [line for line in lines if line.startswith("FAILED: ")]
    last = lines[-1] if lines else "no message"
    return (failed[0] if failed else last).removeprefix("FAILED: ")
