"""The part of Prefect's HTTP API that starting a backfill needs. No Prefect is imported: its
server runs the work, the backend only asks for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from app.config import get_settings
from app.errors import UnavailableError
from app.gate.gate import outside
from app.gate.serving_pair import serving_pair

DEPLOYMENT = "backfill/backfill"
_SECONDS = 10.0
_PAUSES_SECONDS = (0.3, 1.0, 2.0)
_UNFINISHED = frozenset({"SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"})


class PrefectUnavailableError(UnavailableError):
    """No server is named, it does not answer as it should, or it has no such deployment."""


async def start_backfill(job_id: UUID, parameters: Mapping[str, str]) -> UUID:
    """Ask for a run of the backfill deployment; returns its id. A second call makes no second run.

    Raises:
        PrefectUnavailableError: it cannot be asked.
        UnavailableError: nobody can say in time which pair is served now.
    """
    async with _prefect() as api:
        deployment = await api.get(f"deployments/name/{DEPLOYMENT}")
        if deployment.status_code == httpx.codes.NOT_FOUND:
            raise PrefectUnavailableError(f"Calculations cannot run: Prefect has no {DEPLOYMENT}")
        body = {"parameters": parameters, "idempotency_key": str(job_id)}
        identifier = deployment.raise_for_status().json()["id"]
        run = await api.post(f"deployments/{identifier}/create_flow_run", json=body)
        return UUID(str(run.raise_for_status().json()["id"]))


async def backfill_is_under_way(job_id: UUID) -> bool:
    """Whether a job's run waits or runs; False where it ended or never was.

    Raises: what `start_backfill` does.
    """
    async with _prefect() as api:
        question = {"flow_runs": {"idempotency_key": {"any_": [str(job_id)]}}}
        runs = (await api.post("flow_runs/filter", json=question)).raise_for_status().json()
        return any(run["state_type"] in _UNFINISHED for run in runs)


class _Patient(httpx.AsyncHTTPTransport):
    """Asks again where the server is too busy to answer, as Prefect's own client does. Nothing is
    begun twice: a run is asked for under an idempotency key."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for pause in _PAUSES_SECONDS:
            response = await super().handle_async_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return response
            await response.aclose()
            await asyncio.sleep(pause)
        return await super().handle_async_request(request)


@asynccontextmanager
async def _prefect() -> AsyncIterator[httpx.AsyncClient]:
    """Its client. It may take long to answer, and no change of the pair waits for that: a session
    from before may be of the pair that was left."""
    # What is calculated is written to Core, which does not serve yet.
    address = None if serving_pair.get() == "old" else get_settings().PREFECT_API_URL
    if not address:
        raise PrefectUnavailableError("Calculations cannot run: PREFECT_API_URL is not set")
    try:
        async with (
            outside(),
            httpx.AsyncClient(base_url=address, timeout=_SECONDS, transport=_Patient()) as client,
        ):
            yield client
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        raise PrefectUnavailableError(
            "Calculations cannot run: the Prefect server does not answer as it should"
        ) from None
