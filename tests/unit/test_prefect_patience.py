"""A Prefect server that is too busy to answer is asked again, and no cutover waits for it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import httpx
import pytest

from app.config import Settings
from app.gate.gate import Gate, Order
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


def test_a_change_of_the_pair_does_not_wait_for_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"PREFECT_API_URL": "http://prefect/api", "DATABASE_URL": "postgresql://127.0.0.1/core"}
    told = Settings.model_validate(given)
    at_rest: list[bool] = []

    async def ask() -> None:
        gate = Gate()

        def answer(request: httpx.Request) -> httpx.Response:
            gate.obey(Order("new", 2, "held", seconds_left=5), time.monotonic())
            at_rest.append(gate.at_rest)
            gate.obey(Order("new", 2, "open"), time.monotonic())
            found: object = {"id": str(uuid4())} if "deployments" in request.url.path else []
            return httpx.Response(200, json=found)

        monkeypatch.setattr(prefect_api, "_Patient", lambda: httpx.MockTransport(answer))
        gate.obey(Order("new", 1, "open"), time.monotonic())
        with gate.passing("new"):
            await prefect_api.backfill_is_under_way(uuid4())
            await prefect_api.start_backfill(uuid4(), {})

    monkeypatch.setattr(prefect_api, "get_settings", lambda: told)
    asyncio.run(ask())
    assert at_rest == [True, True, True]
