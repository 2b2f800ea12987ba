"""Through a network that accepts and then sends nothing, whoever waits is told so."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import URL

from ops import open_connections
from ops.connection import connect, explained
from ops.embedded.server import EmbeddedServer
from ops.errors import DatabaseUnavailableError
from ops.waiting import wait_until
from tests.groups import soaked
from tests.stalling import StallingProxy, stalling_proxy


@pytest.fixture
def proxy(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingProxy]:
    monkeypatch.setattr("ops.open_connections.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("ops.connection.CONNECT_TIMEOUT_SECONDS", 2)
    with stalling_proxy(server.url()) as proxy:
        yield proxy


def ask_and_stall(proxy: StallingProxy, url: URL, *, new: bool, fails: bool = False) -> None:
    with explained(url), connect(url, application_name="tests") as session:
        session.execute("SELECT 1")
        proxy.stall(new=new)
        if fails:
            raise ZeroDivisionError
        session.execute("SELECT 2")


@pytest.mark.parametrize("new", [*soaked(True), False], ids=["the network", "one connection"])
def test_an_answer_that_does_not_come_is_not_waited_for(proxy: StallingProxy, new: bool) -> None:
    with pytest.raises(DatabaseUnavailableError, match="went away; start it again"):
        ask_and_stall(proxy, proxy.url, new=new)


@pytest.mark.soak
def test_the_end_of_a_block_does_not_wait_either(proxy: StallingProxy) -> None:
    with pytest.raises(ZeroDivisionError):
        ask_and_stall(proxy, proxy.url, new=True, fails=True)


def test_a_long_statement_is_left_alone(proxy: StallingProxy) -> None:
    with connect(proxy.url, application_name="tests") as session:
        assert session.execute("SELECT pg_sleep(1.5), 7").fetchone() == ("", 7)


def test_one_that_was_closed_meanwhile_may_be_given_an_end(server: EmbeddedServer) -> None:
    with connect(server.url(), application_name="tests") as session:
        pass
    assert wait_until(lambda: id(session) not in open_connections._opened, 10)
    with open_connections.closed_at(time.monotonic(), [session]):
        pass
