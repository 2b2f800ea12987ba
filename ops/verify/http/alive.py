"""Whether the backend lives and can serve, by its own word."""

import asyncio

from ops.verify.http.exchange import Exchange
from ops.verify.http.failures import AbsentError
from ops.verify.http.visit import Visit
from ops.verify.report import Finding, judged


def alive_and_ready(visit: Visit) -> Finding:
    """/health says healthy; /ready and /health/prerequisites, where they exist, agree."""
    health, ready, prerequisites = visit.ask(_words)
    good = (
        health == "healthy" and ready in ("ready", "absent") and prerequisites in ("ok", "absent")
    )
    detail = f"{visit.target.url}: {health}; /ready: {ready}; prerequisites: {prerequisites}"
    return judged(good, detail, health=health, ready=ready, prerequisites=prerequisites)


async def _words(http: Exchange) -> tuple[str, str, str]:
    health, ready, prerequisites = await asyncio.gather(
        _word(http, "/health", "status"),
        _word(http, "/ready", "status"),
        _word(http, "/health/prerequisites", "overall_status"),
    )
    return health, ready, prerequisites


async def _word(http: Exchange, path: str, field: str) -> str:
    answer = await http.get(path)
    try:
        # A backend that is not ready says so with 503 and the same fields.
        return answer.json(503)[field].text()[:40]
    except AbsentError:
        return "absent"
