"""One question over HTTP: what is an answer, what is none, and why."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from ops.http_answer import ask, http_answer


class _Told(BaseHTTPRequestHandler):
    """Says what it was told; at /elsewhere, to ask somewhere else; at /no, that it has none."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302 if self.path == "/elsewhere" else 404 if self.path == "/no" else 200)
        self.send_header("Location", "/other")
        self.end_headers()
        self.wfile.write(asked)

    def log_message(self, *_told: object) -> None:
        """Nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # this machine is never asked through it
    with HTTPServer(("127.0.0.1", 0), _Told) as server:
        Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/no", 404), ("/elsewhere", 302)])
def test_whatever_is_said_is_an_answer(url: str, path: str, status: int) -> None:
    found = ask(f"{url}{path}", 5.0, body={"limit": 3})
    assert (found.status, found.json()) == (status, {"limit": 3})
    assert found.is_success is (status == 200)
    assert json.loads(found.body) == {"limit": 3}


def test_who_does_not_answer_in_time_is_told_from_who_is_not_there(silent: socket.socket) -> None:
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with pytest.raises(TimeoutError):
        ask(address, 0.05)
    silent.close()
    with pytest.raises(ConnectionRefusedError):
        ask(address, 5.0)
    assert http_answer(address, 5.0) is None


def test_what_speaks_something_else_gives_no_answer(silent: socket.socket) -> None:
    def answer() -> None:
        with silent.accept()[0] as other:
            other.recv(1000)
            other.sendall(b"220 ready\r\n")

    Thread(target=answer, daemon=True).start()
    with pytest.raises(ConnectionError):
        ask(f"http://127.0.0.1:{silent.getsockname()[1]}", 5.0)


@pytest.mark.parametrize("address", ["", "nowhere", "http://", "teleport://here/"])
def test_what_is_no_address_is_not_asked(address: str) -> None:
    assert http_answer(address, 1.0) is None
