"""The embedded server: closed to strangers, and there again after every kind of stop."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.account import Account
from ops.embedded.databases import EmbeddedDatabases
from ops.embedded.server import EmbeddedServer, free_port
from ops.errors import ConfigurationError, DatabaseUnavailableError, RefusedError
from ops.state_folder import StateFolder
from tests.conftest import running_server
from tests.groups import soaked


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


@pytest.fixture(scope="module")
def durable() -> Iterator[EmbeddedServer]:
    """A server with the settings of a real one, which a test may kill and start again."""
    with running_server(settings={}) as instance:
        yield instance


@pytest.mark.parametrize("how", [signal.SIGKILL, *soaked(signal.SIGTERM, signal.SIGQUIT)])
def test_starts_again_with_its_data_after_a_signal(
    durable: EmbeddedServer, how: signal.Signals
) -> None:
    with connect(durable.url(), application_name="tests", autocommit=True) as connection:
        connection.execute(f"CREATE TABLE kept_{how.name} AS SELECT 42 AS answer".encode())
    process = durable.process()
    assert process is not None
    process.send_signal(how)
    psutil.wait_procs([process], timeout=10)
    durable.start(free_port())
    with connect(durable.url(), application_name="tests") as connection:
        found = connection.execute(f"SELECT answer FROM kept_{how.name}".encode())
        assert found.fetchall() == [(42,)]


def test_starts_although_a_stale_pid_file_names_a_living_stranger(durable: EmbeddedServer) -> None:
    durable.stop()
    stranger = psutil.Process().pid
    (durable.data / "postmaster.pid").write_text(f"{stranger}\n{durable.data}\n")
    durable.start(free_port())
    assert durable.process() is not None


def test_databases_are_not_begun_where_they_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    monkeypatch.setattr(Account, "can_reach", lambda *_: True)
    databases = EmbeddedDatabases(StateFolder(tmp_path / "state"))
    words = (
        r"^1 MiB are free at .*servers \(file system /.*\) and the databases may take 1,050; free"
    )
    with pytest.raises(RefusedError, match=words):
        databases.up()
    assert not databases.exists()


@pytest.fixture
def databases(durable: EmbeddedServer) -> Iterator[EmbeddedDatabases]:
    """Those of a state folder that the servers' account can enter: beside another server's."""
    found = EmbeddedDatabases(StateFolder(durable.folder.with_name("state")))
    yield found
    found.down()


def test_who_is_killed_while_it_is_brought_up_comes_back_at_its_port(
    databases: EmbeddedDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, ports = EmbeddedServer.start, list[int | None]()

    def start_and_die(server: EmbeddedServer, port: int) -> None:
        start(server, port)
        ports.append(server.running_port())
        process = server.process()
        assert process is not None
        process.kill()
        psutil.wait_procs([process], timeout=10)

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedServer, "start", start_and_die)
        with pytest.raises(DatabaseUnavailableError, match="does not run"):
            databases.up(("core",))
    databases.up(("core",))
    with monkeypatch.context() as patch:  # one that runs already
        patch.setattr(EmbeddedServer, "start", start_and_die)
        databases.up(("core",))
    databases.up(("core",))
    assert [*ports, databases.server("core").running_port()] == [ports[0]] * 3


def test_a_copied_state_folder_leaves_the_originals_servers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.embedded.databases.SHARED_PLACE", tmp_path / "shared")
    monkeypatch.setattr(Account, "can_reach", lambda *_: False)
    original, copied = StateFolder(tmp_path / "original"), StateFolder(tmp_path / "copied")
    original.create()
    original.write("ports", {"core": 1, "ai": 2})
    assert EmbeddedDatabases(original).down() == []
    shutil.copytree(original.root, copied.root, symlinks=True)
    with pytest.raises(ConfigurationError, match=f"is a copy, and its servers .*{original.root}"):
        EmbeddedDatabases(copied).down()
    shutil.rmtree(original.root)
    assert EmbeddedDatabases(copied).down() == [], "moved, they are its own"
    data = (copied.root / "servers").resolve() / "core"
    data.mkdir()
    original.create()
    original.write("ports", {"core": 1, "ai": 2})
    assert EmbeddedDatabases(original).down() == [], "another in the place of the one that moved"
    assert data.is_dir(), "and the one that moved has its databases"
