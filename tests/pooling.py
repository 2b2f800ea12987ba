"""A real pooler between us and a database."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import conninfo
from ops.embedded.account import server_account
from ops.embedded.server import LOOPBACK, free_port
from ops.waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pooled = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@contextmanager
def pooling(
    database: URL, mode: str, *, ignored: str = "extra_float_digits,options", **settings: object
) -> Iterator[URL]:
    """The address of a pooler before a database, of any user.

    Args:
        ignored: what it takes at the start of a session, and leaves out.
        settings: further ones of pgbouncer.
    """
    address = database.set(port=free_port())
    to = f"host={database.host} port={database.port} user={database.username}"
    further = "".join(f"{name} = {value}\n" for name, value in settings.items())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        file, account = Path(folder) / "pgbouncer.ini", server_account()
        file.write_text(
            f"[databases]\n* = {to} password={database.password}\n[pgbouncer]\n"
            f"listen_addr = {LOOPBACK}\nlisten_port = {address.port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n{further}"
        )
        account.own(file)
        command = [str(PGBOUNCER), "--quiet", str(file)]
        with subprocess.Popen(command, **account.popen_options()) as pooler:
            try:
                assert wait_until(lambda: _answers(address), 10)
                yield address
            finally:
                pooler.terminate()


def _answers(address: URL) -> bool:
    try:
        psycopg.connect(conninfo(address)).close()
    except psycopg.OperationalError:
        return False
    return True
