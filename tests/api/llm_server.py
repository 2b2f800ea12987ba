"""A language model's endpoint for tests: a real HTTP server that speaks the streamed
chat-completions protocol, answers as told, and remembers what it was asked."""

import json
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Piece = str | bytes | float


@dataclass
class Reply:
    """One answer of the endpoint.

    Attributes:
        pieces: what the body is made of: text (a line of the stream), bytes as they are, and
            numbers, seconds of silence.
        cut: end the connection instead of the body.
    """

    pieces: Sequence[Piece] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def chunk(delta: dict[str, Any] | None = None, **more: Any) -> str:
    """A line with a piece of a completion."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return "data: " + json.dumps({"id": "chatcmpl-1", "choices": choices, **more}) + "\n\n"


def end(reason: str = "stop", prompt_tokens: int = 11, completion_tokens: int = 7) -> list[str]:
    """The last lines of a completion."""
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return [chunk(None, choices=[choice]), chunk(None, usage=usage), "data: [DONE]\n\n"]


def said(*deltas: str) -> Reply:
    """An answer of these pieces of text."""
    return Reply([*(chunk({"content": delta}) for delta in deltas), *end()])


def called(*calls: tuple[str, Any], text: str = "") -> Reply:
    """An answer that calls tools; the arguments come in pieces, as models send them."""
    lines = [chunk({"role": "assistant", "content": text})] if text else []
    for index, (name, arguments) in enumerate(calls):
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        begun = {"name": name, "arguments": ""}
        lines.append(_piece(index, id=f"call_{index}", type="function", function=begun))
        half = len(written) // 2
        lines += [
            _piece(index, function={"arguments": part}) for part in (written[:half], written[half:])
        ]
    return Reply([*lines, *end("tool_calls")])


def _piece(index: int, **call: Any) -> str:
    return chunk({"tool_calls": [{"index": index, **call}]})


class LlmServer:
    """The endpoint. `replies` are given in order, the last one again and again; `memories` is
    what it says when it is asked for facts about the user."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [said("Hello")]
        self.memories = "[]"
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.client_gone = threading.Event()
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The requests that were about a chat's answer, not about memories."""
        return [each for each in self.requests if not is_extraction(each)]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, request: dict[str, Any], key: str | None) -> Reply:
        """What a request is answered."""
        self.requests.append(request)
        if is_extraction(request):
            return said(self.memories)
        self.keys.append(key)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def is_extraction(request: dict[str, Any]) -> bool:
    return "lasting facts" in request["messages"][0]["content"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: LlmServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/chat/completions"
        reply = self.endpoint.take(body, self.headers.get("authorization"))
        self.send_response(reply.status)
        for name, value in {"Content-Type": "text/event-stream", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._give(reply)
        except OSError:
            self.endpoint.client_gone.set()
            self.close_connection = True

    def _give(self, reply: Reply) -> None:
        for piece in reply.pieces:
            if isinstance(piece, float):
                self._wait(piece)
            else:
                self._send(piece if isinstance(piece, bytes) else piece.encode())
        if reply.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _wait(self, seconds: float) -> None:
        """Be silent, unless the client goes away meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.05))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError("the client went away")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def llm_server(server: LlmServer | None = None) -> Iterator[LlmServer]:
    """An endpoint until the block ends."""
    server = server or LlmServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
