"""One backend takes another's place while users ask: nothing is lost, nothing is mixed."""

import http.client
import socket
import threading
import time
from contextlib import closing
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx
import pytest

from ops.backend.supervised import BackendUnavailableError, SupervisedBackend
from ops.books.active_pair import Pair
from tests.groups import soaked
from tests.integration.serving.starting import ENVIRONMENT, eventually
from tests.integration.serving.users import PAIR, asking

THERE_AND_BACK: tuple[Pair, ...] = ("new", "old", "new", "old", "new")


def connected(backend: SupervisedBackend) -> socket.socket:
    parts = urlsplit(backend.url or "")
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30)


def switch(backend: SupervisedBackend, pair: Pair, stream_seconds: float = 1.0) -> float:
    with backend.hold(stream_seconds, 60.0) as held:
        return held.release(pair)


def answer(connection: socket.socket, read: BinaryIO | None = None) -> tuple[str, bytes]:
    """The pair that answers next on a connection, and what it says."""
    read = read or connection.makefile("rb")
    assert b" 200 " in read.readline()
    headers = http.client.parse_headers(read)
    return str(headers[PAIR]), read.read(int(headers["Content-Length"]))


def test_users_reach_only_the_one_that_was_told_to_serve(served: SupervisedBackend) -> None:
    private = served.staged("new")
    assert private is not None
    assert served.staged("old") is None
    assert httpx.get(f"{private}/x").headers[PAIR] == "new"
    for _ in range(20):
        assert httpx.get(f"{served.url}/x").headers[PAIR] == "old"
    switch(served, "new")
    assert (served.pair, served.staged("new")) == ("new", None)
    private = served.staged("old")
    for _ in range(20):
        assert httpx.get(f"{served.url}/x").headers[PAIR] == "new"
    assert httpx.get(f"{private}/x").headers[PAIR] == "old"


@pytest.mark.soak
def test_fifty_users_lose_nothing_and_none_is_answered_while_all_are_held(
    served: SupervisedBackend,
) -> None:
    """Held, released, held again, several times: the windows tell who may have answered when."""
    assert served.url is not None
    windows: list[tuple[float, float]] = []
    seconds: list[float] = []
    with asking(served.url, 50) as users:
        eventually(lambda: len(users.answers) > 200)
        for pair in THERE_AND_BACK:
            with served.hold(1.0, 60.0) as held:
                begun = time.monotonic()
                time.sleep(0.1)
                windows.append((begun, time.monotonic()))
                seconds.append(held.release(pair) - 0.1)
            before = len(users.answers)
            eventually(lambda before=before: len(users.answers) > before + 200)
    assert not users.faults
    assert [users.pairs(*window) for window in windows] == [set()] * len(windows)
    between = [0.0, *(moment for window in windows for moment in window), time.monotonic()]
    served_by = [users.pairs(*span) for span in zip(between[::2], between[1::2], strict=True)]
    assert served_by == [{pair} for pair in ("old", *THERE_AND_BACK)]
    assert max(seconds) < 2.0, seconds


def test_an_open_connection_outlives_every_handover(served: SupervisedBackend) -> None:
    with closing(connected(served)) as connection:
        for pair in ("old", *THERE_AND_BACK):
            if served.pair != pair:
                switch(served, pair)  # type: ignore[arg-type]
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n")
            assert answer(connection) == (pair, b"/x 0")


@pytest.mark.soak
def test_more_connections_than_fit_into_one_message_are_handed_over(
    served: SupervisedBackend,
) -> None:
    connections = [connected(served) for _ in range(600)]
    try:
        for pair in ("new", "old"):
            switch(served, pair)  # type: ignore[arg-type]
            for connection in connections:
                connection.sendall(b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n")
            assert {answer(connection)[0] for connection in connections} == {pair}
        supervisor = served.supervisor()
        assert supervisor is not None
        assert supervisor.memory_info().rss < 60 * 2**20
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n"),
        *soaked(
            (b"GET /x HTT", b"P/1.1\r\nHost: b\r\n\r\n"),
            (b"GET /x HTTP/1.1\r\nHost: b\r\nX-Much: " + b"x" * 9000, b"\r\n\r\n"),
        ),
    ],
    ids=["nothing", "half a line", "half a head"],
)
def test_a_request_that_had_only_begun_is_answered_by_the_next(
    served: SupervisedBackend, before: bytes, after: bytes
) -> None:
    with closing(connected(served)) as connection:
        connection.sendall(before)
        time.sleep(0.1)
        switch(served, "new")
        connection.sendall(after)
        assert answer(connection) == ("new", b"/x 0")


def test_what_is_asked_while_all_are_held_waits(served: SupervisedBackend) -> None:
    connections = [connected(served)]
    with served.hold(1.0, 60.0) as held:
        connections.append(connected(served))
        for connection in connections:
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n")
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(30)
        held.release("new")
        assert [answer(each) for each in connections] == [("new", b"/x 0")] * 2
    for connection in connections:
        connection.close()


def test_what_is_under_way_is_finished_by_who_began_it(served: SupervisedBackend) -> None:
    """A slow answer, a body that comes in parts, two requests at once; then the connection goes
    on with the next backend."""
    sent = {
        "slow": b"GET /slow/0.6 HTTP/1.1\r\nHost: b\r\n\r\n",
        "body": b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\n12345",
        "two": b"GET /slow/0.3 HTTP/1.1\r\nHost: b\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n",
    }
    connections = {name: connected(served) for name in sent}
    for name, text in sent.items():
        connections[name].sendall(text)
    time.sleep(0.2)
    threading.Timer(0.4, connections["body"].sendall, [b"67890"]).start()
    assert switch(served, "new") > 0.2
    assert answer(connections["slow"]) == ("old", b"/slow/0.6 0")
    assert answer(connections["body"]) == ("old", b"/x 10")
    both = connections["two"].makefile("rb")
    assert answer(connections["two"], both) == ("old", b"/slow/0.3 0")
    assert answer(connections["two"], both)[1] == b"/x 0"
    for connection in connections.values():
        connection.sendall(b"GET /y HTTP/1.1\r\nHost: b\r\n\r\n")
        assert answer(connection) == ("new", b"/y 0")
        connection.close()


@pytest.mark.soak
def test_an_answer_that_is_read_slowly_delays_nobody(served: SupervisedBackend) -> None:
    with closing(connected(served)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: b\r\n\r\n")
        time.sleep(0.3)
        assert switch(served, "new") < 5
        pair, text = answer(connection)
        assert (pair, len(text)) == ("old", 2_000_000)
        connection.sendall(b"GET /y HTTP/1.1\r\nHost: b\r\n\r\n")
        assert answer(connection) == ("new", b"/y 0")


@pytest.mark.soak
def test_a_body_that_does_not_come_is_given_up(served: SupervisedBackend) -> None:
    with closing(connected(served)) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\n12345")
        time.sleep(0.1)
        begun = time.monotonic()
        with served.hold(0.0, 60.0) as held:
            assert held.cut == 1
            assert 2 < time.monotonic() - begun < 30
            held.release("new")
        assert connection.recv(1) == b""


def test_a_retired_one_ends_and_the_one_that_serves_cannot_be_retired(
    served: SupervisedBackend,
) -> None:
    with pytest.raises(BackendUnavailableError, match="another pair must serve"):
        served.retire("old")
    switch(served, "new")
    served.retire("old")
    assert served.staged("old") is None
    with (
        served.hold(1.0, 60.0) as held,
        pytest.raises(BackendUnavailableError, match="of the old pair is not there"),
    ):
        held.release("old")
    assert httpx.get(f"{served.url}/x").headers[PAIR] == "new"
    served.stage(ENVIRONMENT, "old")
    switch(served, "old")
    assert httpx.get(f"{served.url}/x").headers[PAIR] == "old"
