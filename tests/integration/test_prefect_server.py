"""The Prefect server of a state folder, by a program in its place that comes up at once."""

from http.server import HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from flows import prefect_server
from flows.prefect_server import PrefectServer
from ops.errors import DatabaseUnavailableError
from ops.state_folder import StateFolder
from tests.integration.health_server import Healthy


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrefectServer:
    for name in prefect_server.environment_of(StateFolder(tmp_path)):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setattr(prefect_server, "_PROGRAM", "tests.integration.health_server")
    state = StateFolder(tmp_path / "state")
    state.create()
    return PrefectServer(state)


def test_a_server_whose_port_another_has_taken_meanwhile_takes_another_one(
    server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two installations that start at the same moment see the same usual port free; the one that
    loses is not content with the other's answers."""
    with HTTPServer(("127.0.0.1", 0), Healthy) as other:
        Thread(target=other.serve_forever, args=[0.02], daemon=True).start()
        monkeypatch.setattr(prefect_server, "_USUAL_PORT", other.server_port)
        with monkeypatch.context() as before:
            before.setattr(prefect_server, "port_is_free", lambda _port: True)
            server.start()
        taken = f"http://127.0.0.1:{other.server_port}/api"
        assert (server.api_url, server.answers()) == (taken, True)
        try:
            assert server.wait() == server.api_url != taken
        finally:
            server.stop()
            other.shutdown()


def test_a_server_that_ends_for_another_reason_is_not_started_again(
    server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_server, "_PROGRAM", "tests.integration.no_such_program")
    server.start()
    with pytest.raises(DatabaseUnavailableError, match=r"does not answer at .*read .*prefect.log"):
        server.wait()
    assert (server.state.root / "prefect.log").read_text().count("No module named") == 1
