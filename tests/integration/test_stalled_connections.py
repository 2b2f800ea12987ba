"""Through a network that accepts and then sends nothing, whoever waits is told so."""

import asyncio
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from app import database
from app.application import create_app
from app.gate import replica
from app.gate.gate import Gate
from ops import open_connections
from ops.connection import connect, conninfo, explained
from ops.embedded.server import EmbeddedServer
from ops.errors import DatabaseUnavailableError
from ops.waiting import wait_until
from tests.api.backend import SECRET_KEY, cached_settings
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


async def log_in_before_and_after(proxy: StallingProxy) -> list[tuple[int, str]]:
    """A wrong login's status and detail, before the network stalls and then."""
    said = []
    transport = httpx.ASGITransport(app=create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
        for _ in range(2):
            wrong = {"email": "nobody@example.com", "password": "wrong"}
            async with asyncio.timeout(30):  # longer than any bound
                answer = await client.post("/api/v1/auth/login", json=wrong)
            said.append((answer.status_code, answer.json()["detail"]))
            proxy.stall()
    await database.close_connections()
    return said


def test_a_backend_says_so_too(core_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both over what was open and where it opens another connection."""
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setitem(database._BOUNDS, "connect_timeout", 2)
    with stalling_proxy(core_url) as proxy:
        told = {"DATABASE_URL": conninfo(proxy.url), "SECRET_KEY": SECRET_KEY}
        with cached_settings(told):
            said = asyncio.run(log_in_before_and_after(proxy))
    refused = (401, "Incorrect email or password")
    assert said == [refused, (503, "The database does not answer; try again")]


@pytest.mark.parametrize(("given", "milliseconds"), [({}, 30_000), ({"tcp_user_timeout": "7"}, 7)])
def test_what_a_network_drops_is_not_waited_for_by_a_backend(
    core_url: URL, given: dict[str, str], milliseconds: int
) -> None:
    async def bound() -> int:
        engine = database._engine(core_url.update_query_dict(given), 1)
        async with engine.connect() as connection:
            driver = database.driver_of(await connection.get_raw_connection())
            with socket.fromfd(driver.fileno(), socket.AF_INET, socket.SOCK_STREAM) as end:
                found = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        await engine.dispose()
        return found

    assert asyncio.run(bound()) == milliseconds


@pytest.mark.parametrize("where", ["LISTEN", "report_at_gate"])
def test_a_backend_that_hears_nothing_at_the_gate_closes_that_connection(
    core_url: URL, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Then it opens another; to be cancelled, the statement would have to reach the server."""
    monkeypatch.setattr(replica, "_PATIENCE_SECONDS", 0.2)

    async def report(proxy: StallingProxy) -> None:
        def stall(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            if where in statement:
                proxy.stall()

        core = database._engine(proxy.url, 1)
        event.listen(core.sync_engine, "before_cursor_execute", stall)
        monkeypatch.setattr(replica, "engines_of", lambda _: (core, core))
        one = replica.Replica(Gate(), has_old=False)
        async with asyncio.timeout(30), one._session() as session:
            await one._report(session)

    with stalling_proxy(core_url) as proxy, pytest.raises(OperationalError, match="closed"):
        asyncio.run(report(proxy))


def test_one_that_was_closed_meanwhile_may_be_given_an_end(server: EmbeddedServer) -> None:
    with connect(server.url(), application_name="tests") as session:
        pass
    assert wait_until(lambda: id(session) not in open_connections._opened, 10)
    with open_connections.closed_at(time.monotonic(), [session]):
        pass
