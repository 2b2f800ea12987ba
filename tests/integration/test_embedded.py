"""The embedded server: closed to strangers, and there again after every kind of stop."""

import signal

import psutil
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer, free_port
from ops.errors import ConfigurationError
from tests.conftest import running_server


def test_refuses_a_wrong_password_over_tcp(server: EmbeddedServer) -> None:
    wrong = server.url().set(password="not-it")
    with pytest.raises(ConfigurationError, match="refuses the password"):
        connect(wrong, application_name="tests")


def test_refuses_a_login_without_password_over_its_socket(server: EmbeddedServer) -> None:
    socket = str(server._socket_folder())
    query = {"host": socket, "port": str(server.running_port())}
    local = URL.create("postgresql+psycopg", "postgres", database="postgres", query=query)
    with pytest.raises(ConfigurationError, match="wants a password"):
        connect(local, application_name="tests")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT])
def test_starts_again_with_its_data_after_a_signal(how: signal.Signals) -> None:
    with running_server(settings={}) as instance:
        with connect(instance.url(), application_name="tests", autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        process = instance.process()
        assert process is not None
        process.send_signal(how)
        psutil.wait_procs([process], timeout=10)
        instance.start(free_port())
        with connect(instance.url(), application_name="tests") as connection:
            assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]


def test_starts_although_a_stale_pid_file_names_a_living_stranger() -> None:
    with running_server() as instance:
        instance.stop()
        stranger = psutil.Process().pid
        (instance.data / "postmaster.pid").write_text(f"{stranger}\n{instance.data}\n")
        instance.start(free_port())
        assert instance.process() is not None
