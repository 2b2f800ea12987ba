"""A server of the PostgreSQL that Debian has packaged, which unlike the embedded one speaks TLS."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.embedded.account import server_account
from ops.embedded.server import SUPERUSER, free_port, loopback_url

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
packaged = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL of Debian is installed")


@contextmanager
def debian_server(settings: Mapping[str, str]) -> Iterator[URL]:
    """The superuser's address of its database `postgres`; it lets in whoever asks.

    Args:
        settings: further lines of postgresql.conf.
    """
    account, port = server_account(), free_port()
    with tempfile.TemporaryDirectory(prefix="sigmasight-tests-") as folder:
        place = Path(folder)
        account.own(place)
        own = {"port": str(port), "unix_socket_directories": "''", "fsync": "off", **settings}

        def run(program: str, *words: str) -> None:
            assert PROGRAMS is not None
            command = [str(PROGRAMS / program), "-D", str(place / "data"), *words]
            told = {"PATH": os.defpath, "LC_ALL": "C"}
            subprocess.run(
                command, env=told, check=True, capture_output=True, **account.popen_options()
            )

        run("initdb", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync")
        with open(place / "data" / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in own.items())
        run("pg_ctl", "-w", "-l", str(place / "log"), "start")
        try:
            yield loopback_url(port, SUPERUSER, "any", "postgres")
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
