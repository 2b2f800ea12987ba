"""A small HTTP server that answers as a test tells it, byte by byte."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Chunks = Iterator[bytes]


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    body: bytes
    token: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


Behaviour = Callable[[Request], Chunks]


def reply(status: int, body: bytes, kind: str = "application/json", *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", ""]).encode() + body


def json_reply(status: int, payload: Any) -> bytes:
    return reply(status, json.dumps(payload).encode())


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve, one request a connection, each in a thread of its own; yields the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=_serve, args=(connection, behaviour, ended))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(20)


def _serve(connection: socket.socket, behaviour: Behaviour, ended: threading.Event) -> None:
    with connection, suppress(OSError, ValueError, IndexError):
        request = _request(connection)
        for chunk in behaviour(request):
            if ended.is_set():
                return
            connection.sendall(chunk)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _request(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            raise ValueError("no request")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    method, path, _ = first.split(" ")
    token = headers.get("authorization", "").removeprefix("Bearer ") or None
    return Request(method, path, body, token, headers)


def drip(chunk: bytes, seconds: float = 0.05) -> Chunks:
    """The same for ever, a little at a time."""
    while True:
        yield chunk
        time.sleep(seconds)
