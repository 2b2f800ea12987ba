"""A Prefect server that is too busy to answer is asked again."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from app.jobs import prefect_api


class _Busy(BaseHTTPRequestHandler):
    asked: list[bytes]
    refusals: int

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(503 if len(self.asked) <= self.refusals else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[tuple[str, type[_Busy]]]:
    handler = type("Handler", (_Busy,), {"asked": [], "refusals": 0})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


@pytest.mark.parametrize(("refusals", "asked", "status"), [(0, 1, 200), (2, 3, 200), (9, 4, 503)])
def test_a_busy_server_is_asked_again_with_the_same_words_a_few_times(
    busy: tuple[str, type[_Busy]],
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    asked: int,
    status: int,
) -> None:
    monkeypatch.setattr(prefect_api, "_PAUSES_SECONDS", (0.0, 0.0, 0.0))
    address, handler = busy
    handler.refusals = refusals

    async def ask() -> int:
        async with httpx.AsyncClient(transport=prefect_api._Patient()) as client:
            return (await client.post(address, json={"key": "k"})).status_code

    assert asyncio.run(ask()) == status
    assert handler.asked == [b'{"key":"k"}'] * asked
