"""Whether the backend says truly that it lives and that it can serve."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import URL

from app.application import StartRefusedError, create_app
from app.database import close_connections
from ops.connection import connect, conninfo
from ops.embedded.server import free_port
from tests.api.backend import SECRET_KEY, Backend, backend_process, cached_settings


def test_it_lives(anonymous: httpx.Client) -> None:
    assert anonymous.get("/health").json() == {"status": "healthy"}
    assert set(anonymous.get("/").json()) == {"message", "version"}


def test_it_is_ready_when_both_databases_are_at_their_heads(anonymous: httpx.Client) -> None:
    response = anonymous.get("/ready")
    assert response.status_code == 200
    state = response.json()
    assert state["status"] == "ready"
    assert state["databases"] == {
        name: {"status": "ok", "revision": "0001", "head": "0001"} for name in ("core", "ai")
    }
    assert [state["pools"][name]["size"] for name in ("core", "ai")] == [10, 5]


def test_the_prerequisites_are_counted(anonymous: httpx.Client, backend: Backend) -> None:
    found = anonymous.get("/health/prerequisites").json()
    with connect(backend.core, application_name="tests") as core:
        counts = core.execute(
            "SELECT (SELECT count(*) FROM factor_definitions WHERE is_active), "
            "(SELECT count(*) FROM stress_test_scenarios WHERE active)"
        ).fetchone()
    assert counts == (found["factors"]["current"], found["scenarios"]["current"])
    assert (found["factors"]["required"], found["scenarios"]["required"]) == (8, 18)
    assert found["overall_status"] == "ok"


def test_the_page_of_operations_needs_nothing_from_elsewhere(anonymous: httpx.Client) -> None:
    page, document = anonymous.get("/docs"), anonymous.get("/openapi.json").json()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in page.text
    assert "://" not in page.text
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"<summary>{method.upper()} {path}</summary>" in page.text
    links = set(re.findall(r"href=#(\w+)", page.text))
    assert links
    assert links <= set(document["components"]["schemas"])


def test_every_response_carries_the_requests_id(anonymous: httpx.Client) -> None:
    given = anonymous.get("/health", headers={"X-Request-ID": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    insane = anonymous.get("/health", headers={"X-Request-ID": "no good!"})
    assert insane.headers["x-request-id"] != "no good!"
    assert anonymous.get("/nowhere").headers["x-request-id"]


def test_a_body_that_is_too_large_is_refused(anonymous: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield from (b"x" * 65_536 for _ in range(20))

    for content in (b"x" * 1_100_000, endless()):
        headers = {"Content-Type": "application/json"}
        response = anonymous.post("/api/v1/auth/login", content=content, headers=headers)
        assert response.status_code == 413


@pytest.mark.soak
def test_it_is_not_ready_without_its_databases(scratch_database: URL, tmp_path: Path) -> None:
    nowhere = scratch_database.set(port=free_port())
    with backend_process(nowhere, scratch_database, tmp_path) as backend:
        url = backend.answering()
        response = httpx.get(f"{url}/ready", timeout=30)
        prerequisites = httpx.get(f"{url}/health/prerequisites", timeout=30).json()
    assert response.status_code == 503
    states = response.json()["databases"]
    assert states["core"] == {"status": "unreachable", "revision": None, "head": "0001"}
    assert states["ai"] == {"status": "behind", "revision": None, "head": "0001"}
    assert prerequisites["overall_status"] == "error"


async def start(core: URL, ai: URL, **environment: str) -> None:
    """Start a production backend within this process, and stop it."""
    given = {"DATABASE_URL": conninfo(core), "AI_DATABASE_URL": conninfo(ai)}
    given |= {"SECRET_KEY": SECRET_KEY, "ENVIRONMENT": "production", **environment}
    with cached_settings(given):
        app = create_app()
        try:
            async with app.router.lifespan_context(app):
                pass
        finally:
            await close_connections()


def test_production_refuses_to_start_without_reference_data_unless_told_to(
    core_url: URL, ai_url: URL
) -> None:
    said = "0 factor definitions and 0 stress scenarios are too few; run `sigmasight seed`"
    with pytest.raises(StartRefusedError, match=said):
        asyncio.run(start(core_url, ai_url))
    asyncio.run(start(core_url, ai_url, SKIP_STARTUP_VALIDATION="true"))


@pytest.mark.soak
def test_a_start_that_is_refused_ends_the_process(
    core_url: URL, ai_url: URL, tmp_path: Path
) -> None:
    with backend_process(core_url, ai_url, tmp_path, ENVIRONMENT="production") as backend:
        assert backend.process.wait(60) != 0
    assert "are too few; run `sigmasight seed`" in backend.log.read_text()
