"""Calculations that users ask for: a row in `batch_jobs` each, carried out by a backfill run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.calculations.factors import MARKET_ETF
from app.database import get_core_session
from app.errors import BadRequestError, ConflictError, NotFoundError, UnavailableError
from app.jobs import ABANDONED, JOB_TYPE
from app.jobs.prefect_api import PrefectUnavailableError, backfill_is_under_way, start_backfill
from app.jobs.price_coverage import Preprocessing, price_coverage
from app.json_response import utc_text
from app.locks import hold
from app.models import BatchJob
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_MODE = "missing"
# How long a job may wait for its run to be created before it counts as lost.
_CREATION_TIME = timedelta(seconds=60)


class CalculationStarted(TypedDict):
    """A job was accepted."""

    status: str
    batch_run_id: str
    portfolio_id: str
    preprocessing: Preprocessing
    message: str


class CalculationStatus(TypedDict):
    """How a job goes: pending, running, completed or failed, then with the reason."""

    status: str
    batch_run_id: str
    portfolio_id: str
    started_at: str | None
    triggered_by: str | None
    elapsed_seconds: float | None
    error_message: str | None


async def start_calculation(session: AsyncSession, portfolio: OwnedPortfolio) -> CalculationStarted:
    """Record a job and have Prefect run the backfill for it, over the days that are missing.

    Raises:
        BadRequestError: the portfolio is inactive, or there are no prices to calculate with.
        ConflictError: a job of the portfolio waits or runs already.
        UnavailableError: Prefect cannot run it, and the job is failed; or the pair was changed.
    """
    if not portfolio.is_active:
        raise BadRequestError("The portfolio is inactive; only active ones are calculated")
    first, last = await _needed_days(session, portfolio.id)
    preprocessing = await price_coverage(session, portfolio.id, last)
    days = {"first": first.isoformat(), "last": last.isoformat(), "mode": _MODE}
    owner = {"portfolio_id": str(portfolio.id), "user_id": str(portfolio.user_id)}
    unfinished = await _jobs(session, portfolio.id)
    await session.commit()  # no connection is held while Prefect answers, nor a pair that it was of
    await _fail_lost(unfinished)
    job_id = await _record(portfolio, {**owner, **days})
    await _run(job_id, days, {**owner, **days})
    return {
        "status": "started",
        "batch_run_id": str(job_id),
        "portfolio_id": str(portfolio.id),
        "preprocessing": preprocessing,
        "message": f"Calculating {first} to {last}; poll the status until it is completed",
    }


async def calculation_status(
    session: AsyncSession, portfolio: OwnedPortfolio, job_id: UUID
) -> CalculationStatus:
    """How a job of the portfolio goes.

    Raises:
        NotFoundError: the portfolio has no such job.
    """
    jobs = await _jobs(session, portfolio.id, job_id)
    if not jobs:
        raise NotFoundError("Batch run not found")
    job = jobs[0]
    return {
        "status": "failed" if job.abandoned else job.status,
        "batch_run_id": str(job.id),
        "portfolio_id": str(portfolio.id),
        "started_at": utc_text(job.started_at) if job.started_at else None,
        "triggered_by": job.triggered_by,
        "elapsed_seconds": _elapsed(job),
        "error_message": ABANDONED if job.abandoned else job.error_message,
    }


async def _needed_days(session: AsyncSession, portfolio_id: UUID) -> tuple[date, date]:
    asked = {"portfolio": portfolio_id, "market_etf": MARKET_ETF}
    first, last = (await session.execute(statement("jobs/range"), asked)).one()
    if last is None:
        raise BadRequestError("There are no market prices to calculate with")
    return first, last


async def _fail_lost(unfinished: Sequence[Row[Any]]) -> None:
    for blocking in unfinished:
        if not await _is_lost(blocking):
            raise ConflictError(f"A calculation of this portfolio is {blocking.status} already")
        await _fail(blocking.id, ABANDONED)


async def _record(portfolio: OwnedPortfolio, metadata: Mapping[str, str]) -> UUID:
    """Insert a pending job unless one is under way."""
    job_id = uuid4()
    async with get_core_session() as session:
        await hold(session, f"calculate {portfolio.id}")
        if await _jobs(session, portfolio.id):
            raise ConflictError("A calculation of this portfolio has just been started")
        await session.execute(
            insert(BatchJob).values(
                id=job_id,
                job_name=f"calculate {portfolio.id}",
                job_type=JOB_TYPE,
                status="pending",
                job_metadata=dict(metadata),
            )
        )
    return job_id


async def _is_lost(job: Row[Any]) -> bool:
    """Whether nothing works on an unfinished job any more."""
    if job.status == "running":
        return bool(job.abandoned)
    if datetime.now(UTC) - job.created_at < _CREATION_TIME:
        return False
    return not await backfill_is_under_way(job.id)


async def _run(job_id: UUID, days: Mapping[str, str], metadata: Mapping[str, str]) -> None:
    try:
        run_id = await start_backfill(job_id, {**days, "batch_run_id": str(job_id)})
    except PrefectUnavailableError as error:
        await _fail(job_id, str(error))
        raise
    known = {**metadata, "prefect_flow_run_id": str(run_id)}
    job = update(BatchJob).where(BatchJob.id == job_id).values(job_metadata=known)
    async with get_core_session() as session:
        found = await session.scalar(job.returning(BatchJob.id))
    if found is None:
        raise UnavailableError("The databases were changed meanwhile; ask again")


async def _fail(job_id: UUID, reason: str) -> None:
    unfinished = BatchJob.status.in_(["pending", "running"])
    job = update(BatchJob).where(BatchJob.id == job_id, unfinished)
    async with get_core_session() as session:
        await session.execute(
            job.values(status="failed", completed_at=func.now(), error_message=reason)
        )


async def _jobs(
    session: AsyncSession, portfolio_id: UUID, job_id: UUID | None = None
) -> Sequence[Row[Any]]:
    """The job of this id, or without one all that are unfinished."""
    asked = {"job_type": JOB_TYPE, "portfolio": str(portfolio_id), "job": job_id}
    return (await session.execute(statement("jobs/job"), asked)).all()


def _elapsed(job: Row[Any]) -> float | None:
    if job.status == "running" and not job.abandoned:
        return round(float(job.running_seconds), 1)
    return None if job.duration_seconds is None else float(job.duration_seconds)
