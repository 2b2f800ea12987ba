"""Calculations that cannot run: the answer is one line, and no job is left pending."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from app.config import get_settings
from ops.connection import connect
from ops.embedded.server import free_port
from tests.api.backend import Backend
from tests.api.calculations.desk import Desk, calculate
from tests.prefect_session import sent


def test_what_cannot_be_calculated_is_refused(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    with desk.client() as client:
        desk.rows("UPDATE portfolios SET is_active = false WHERE id = %s", portfolio)
        inactive = calculate(client, portfolio)
        desk.rows("UPDATE portfolios SET is_active = true WHERE id = %s", portfolio)
        desk.rows("UPDATE market_data_cache SET symbol = 'WAS SPY' WHERE symbol = 'SPY'")
        without_prices = calculate(client, portfolio)
        desk.rows("UPDATE market_data_cache SET symbol = 'SPY' WHERE symbol = 'WAS SPY'")
    assert inactive.status_code == without_prices.status_code == 400
    assert "inactive" in inactive.text
    assert "prices" in without_prices.text
    assert desk.unfinished() == 0


def test_without_the_deployment_nothing_is_left_pending(desk: Desk) -> None:
    found = sent(desk.prefect, "GET", "deployments/name/backfill/backfill").json()
    sent(desk.prefect, "DELETE", f"deployments/{found['id']}")
    try:
        with desk.client() as client:
            response = calculate(client, desk.portfolios()[0])
    finally:
        again = {name: found[name] for name in _DEPLOYED}
        sent(desk.prefect, "POST", "deployments/", again)
    reason = "Calculations cannot run: Prefect has no backfill/backfill"
    assert (response.status_code, response.json()) == (503, {"detail": reason})
    jobs = desk.rows("SELECT status, error_message FROM batch_jobs")
    assert jobs == [("failed", reason)]


_DEPLOYED = (
    "name",
    "flow_id",
    "entrypoint",
    "path",
    "enforce_parameter_schema",
    "parameter_openapi_schema",
)


def refusal(client: httpx.Client, backend: Backend) -> str:
    """Why the session's backend refuses a calculation, as it says and as the job keeps it. The job
    is removed, because others share this database."""
    portfolio = client.get("/api/v1/data/portfolios").json()[0]["id"]
    response = calculate(client, portfolio)
    with connect(backend.core, application_name="tests") as core:
        jobs = core.execute(
            "DELETE FROM batch_jobs WHERE job_metadata ->> 'portfolio_id' = %s "
            "RETURNING status, error_message",
            [portfolio],
        ).fetchall()
    reason = str(response.json()["detail"])
    assert (response.status_code, jobs) == (503, [("failed", reason)])
    return reason


def test_where_no_server_is_named_the_job_is_failed(
    individual: httpx.Client, backend: Backend
) -> None:
    reason = refusal(individual, backend)
    assert reason == "Calculations cannot run: PREFECT_API_URL is not set"


class Impostor(BaseHTTPRequestHandler):
    """Answers in the place of a Prefect server, but not as one."""

    answer = (200, b"")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (500, b""),
        (302, b""),
        (200, b"[]"),
        (200, b"hello"),
        (200, b"{}"),
        (200, b'{"id": 7}'),
        (200, b'{"id": "no id"}'),
    ],
)
def test_a_server_that_is_away_or_odd_leaves_nothing_pending(
    answer: tuple[int, bytes] | None,
    individual: httpx.Client,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr(get_settings(), "PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
    with impostor(port, answer):
        reason = refusal(individual, backend)
    assert reason == "Calculations cannot run: the Prefect server does not answer as it should"


@contextmanager
def impostor(port: int, answer: tuple[int, bytes] | None) -> Iterator[None]:
    if answer is None:
        yield
        return
    handler = type("Handler", (Impostor,), {"answer": answer})
    with HTTPServer(("127.0.0.1", port), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join(10)
