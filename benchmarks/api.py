"""The API beside a floor: the very same statements by psycopg alone, plus one empty authenticated
request of the same application."""

import asyncio
import http.client
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event
from sqlalchemy.engine import URL

from benchmarks.throwaway import backfilled_pair, environment, prefect_server, run_backfill
from ops.connection import connect, conninfo
from ops.demo.book import demo_book
from ops.embedded.server import LOOPBACK, free_port

_SECRET_KEY = "of the benchmark only, and long enough"
_EMPTY_REQUEST = ("POST", "/api/v1/auth/logout")
_ALONE, _TOGETHER = 1, 32
_REQUESTS = {_ALONE: 60, _TOGETHER: 192}
_ROUNDS_OF_THE_FLOOR = 50
_USERS_STATEMENT = "FROM users"
_ENDPOINT = re.compile(
    r"/api/v1/(data/portfolio/{portfolio_id}/complete|analytics/portfolio/{portfolio_id}/[a-z0-9/-]+)"
)

# As in large_portfolio.sql: user and portfolio.
_LARGE = (
    UUID("00000000-0000-4000-8000-000000000001"),
    UUID("00000000-0000-4000-8000-000000000002"),
)

Statement = tuple[str, Any]


@dataclass(frozen=True)
class Book:
    """Whose portfolio is read."""

    name: str
    user_id: UUID
    portfolio_id: UUID


@dataclass(frozen=True)
class Latency:
    """Seconds."""

    p50: float
    p99: float


def run() -> list[dict[str, Any]]:
    """Every read endpoint of a portfolio, on the demo's largest and on one of 2,000 positions."""
    with (
        backfilled_pair() as (core, ai),
        environment(
            DATABASE_URL=conninfo(core), AI_DATABASE_URL=conninfo(ai), SECRET_KEY=_SECRET_KEY
        ),
    ):
        books = [_largest_of_the_demo(core), _add_large(core)]
        requests = [
            (book, path, statements)
            for book in books
            for path, statements in asyncio.run(_statements(book)).items()
        ]
        with _served() as port:
            return [_line(core, port, *request) for request in requests]


@contextmanager
def _served() -> Iterator[int]:
    """One worker, as the start command runs it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--log-level", "warning"], stderr=subprocess.DEVNULL
    ) as server:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=9)) as client:
                client.get(f"http://{LOOPBACK}:{port}/health")
            yield port
        finally:
            server.terminate()


async def _statements(book: Book) -> dict[str, list[Statement]]:
    """What each endpoint sends to Core, by path."""
    from app.application import create_app
    from app.database import core_engine

    app, heard = create_app(), list[Statement]()
    logging.getLogger("sigmasight").setLevel(logging.WARNING)
    event.listen(
        core_engine().sync_engine,
        "before_cursor_execute",
        lambda _c, _k, statement, parameters, *_: heard.append((statement, parameters)),
    )
    found: dict[str, list[Statement]] = {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
        for path in _paths(app.openapi(), book):
            heard.clear()
            response = await client.get(path, headers=_authorization(book))
            assert response.status_code == 200, f"{path}: {response.text[:200]}"
            found[path] = list(heard)
    await core_engine().dispose()
    return found


def _paths(document: dict[str, Any], book: Book) -> list[str]:
    """/complete, and all analytics that take nothing but the portfolio."""
    return [
        path.replace("{portfolio_id}", str(book.portfolio_id))
        for path, methods in document["paths"].items()
        if "get" in methods and _ENDPOINT.fullmatch(path)
    ]


def _largest_of_the_demo(core: URL) -> Book:
    with connect(core, application_name="benchmark") as connection:
        row = connection.execute(
            "SELECT user_id, portfolio_id FROM positions x JOIN portfolios p "
            "ON p.id = x.portfolio_id GROUP BY 1, 2 ORDER BY count(*) DESC, 2 LIMIT 1"
        ).fetchone()
    assert row is not None
    return Book(f"{len(demo_book().portfolios)}/{len(demo_book().positions)}", *row)


def _add_large(core: URL) -> Book:
    script = files("benchmarks").joinpath("sql", "large_portfolio.sql").read_text()
    with connect(core, application_name="benchmark") as connection:
        connection.execute(script.encode())
    with prefect_server():
        run_backfill(core, date(2025, 12, 8))
    with connect(core, application_name="benchmark", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return Book("2,000 positions", *_LARGE)


def _line(
    core: URL, port: int, book: Book, path: str, statements: Sequence[Statement]
) -> dict[str, Any]:
    alone = _measured(port, book, ("GET", path), _ALONE)
    empty = _measured(port, book, _EMPTY_REQUEST, _ALONE)
    floor = empty.p50 + _bare(core, statements)
    together = _measured(port, book, ("GET", path), _TOGETHER)
    return {
        "benchmark": f"{path.rpartition(str(book.portfolio_id))[2]}, {book.name}",
        "ours_seconds": round(alone.p50, 5),
        "peer_seconds": round(floor, 5),
        "ratio": round(alone.p50 / floor, 2),
        "p99_ms": _ms(alone.p99),
        f"p50_ms_at_{_TOGETHER}": _ms(together.p50),
        f"p99_ms_at_{_TOGETHER}": _ms(together.p99),
        "statements": len(statements),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _bare(core: URL, statements: Sequence[Statement]) -> float:
    """Median seconds of the statements on one open connection. The user's look-up is left out:
    it is part of the empty request."""
    wanted = [one for one in statements if _USERS_STATEMENT not in one[0]]
    times = []
    with connect(core, application_name="benchmark") as connection:
        for _ in range(_ROUNDS_OF_THE_FLOOR):
            started = time.perf_counter()
            for text, parameters in wanted:
                connection.execute(text, parameters).fetchall()
            connection.commit()  # a rollback would have psycopg forget what it has prepared
            times.append(time.perf_counter() - started)
    return median(times)


def _measured(port: int, book: Book, request: tuple[str, str], clients: int) -> Latency:
    each = _REQUESTS[clients] // clients
    with ThreadPoolExecutor(clients) as pool:
        runs = pool.map(lambda _: _timed(port, book, request, each), range(clients))
        times = [seconds for run in runs for seconds in run]
    return Latency(median(times), quantiles(times, n=100)[98])


def _timed(port: int, book: Book, request: tuple[str, str], count: int) -> list[float]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    headers, times = _authorization(book), []
    for _ in range(count + 1):
        started = time.perf_counter()
        connection.request(*request, headers=headers)
        response = connection.getresponse()
        response.read()
        times.append(time.perf_counter() - started)
        assert response.status == 200, f"{request}: {response.status}"
    connection.close()
    return times[1:]  # the first one opens the connection


def _authorization(book: Book) -> dict[str, str]:
    from app.security import issue_token

    return {"Authorization": f"Bearer {issue_token(book.user_id, book.name, None)}"}
