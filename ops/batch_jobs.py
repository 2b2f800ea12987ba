"""The jobs in `batch_jobs` that users wait for, as the backfill that carries one out sees them.

A job is running only while its run holds the phases' lock. So whoever holds the lock knows that
every other job which says that it runs was left behind by a run that ended without a word.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
from sqlalchemy.engine import URL

from app.jobs import ABANDONED, JOB_TYPE
from ops.connection import first_value, session_at
from ops.errors import (
    BadInputError,
    BusyError,
    FencedOutError,
    SigmaSightError,
    VerificationError,
)

_log = logging.getLogger(__name__)
_LONGEST_REASON = 1000
# Their messages are for whoever asked; those of the others name hosts and databases.
_FOR_USERS = (BadInputError, BusyError, FencedOutError, VerificationError)


@dataclass(frozen=True)
class BatchJob:
    """A job, or none where nobody waits for the run."""

    core: URL
    job_id: UUID | None

    def begin(self) -> None:
        """Say that the job runs; the caller holds the phases' lock.

        Raises:
            BadInputError: the database has no such job.
        """
        with session_at(self.core, "batch jobs") as session:
            _fail_abandoned(session, self.job_id)
            started = session.execute(
                "UPDATE batch_jobs SET status = 'running', started_at = now(), completed_at = NULL,"
                " duration_seconds = NULL, records_processed = NULL, error_message = NULL,"
                " updated_at = now() WHERE id = %s",
                [self.job_id],
            )
        if self.job_id is not None and not started.rowcount:
            raise BadInputError(f"batch_jobs has no job {self.job_id}; correct batch_run_id")

    def complete(self, records: int) -> None:
        """Say that the job is done, or failed if a day of its portfolio could not be stored.

        Args:
            records: rows that the run wrote.
        """
        if self.job_id is None:
            return
        with session_at(self.core, "batch jobs") as session:
            failed = _failed_day(session, self.job_id)
            _end(session, self.job_id, "failed" if failed else "completed", failed, records)

    def fail(self, reason: str) -> None:
        """Say that the job failed, unless it has ended already."""
        if self.job_id is None:
            return
        with session_at(self.core, "batch jobs") as session:
            _end(session, self.job_id, "failed", reason, None)


@contextmanager
def batch_job(core: URL, job_id: UUID | None) -> Iterator[BatchJob]:
    """A job whose failure is recorded when the block fails, also when it is interrupted."""
    job = BatchJob(core, job_id)
    try:
        yield job
    except BaseException as error:
        try:
            job.fail(_reason(error))
        except (SigmaSightError, psycopg.Error):  # the next run records it
            _log.warning("job %s could not be marked as failed", job_id)
        raise


def _fail_abandoned(session: psycopg.Connection, own: UUID | None) -> None:
    session.execute(
        "UPDATE batch_jobs SET status = 'failed', completed_at = now(), error_message = %s,"
        " updated_at = now() WHERE job_type = %s AND status = 'running'"
        " AND id IS DISTINCT FROM %s",
        [ABANDONED, JOB_TYPE, own],
    )


def _failed_day(session: psycopg.Connection, job_id: UUID) -> str | None:
    reason: str | None = first_value(
        session,
        "SELECT format('stopped at %%s: %%s', l.calculation_date, l.reason)"
        " FROM batch_jobs AS j JOIN ops.backfill_ledger AS l"
        " ON l.portfolio_id = (j.job_metadata ->> 'portfolio_id')::uuid AND l.status = 'failed'"
        " WHERE j.id = %s ORDER BY l.calculation_date LIMIT 1",
        [job_id],
    )
    return reason


def _end(
    session: psycopg.Connection,
    job_id: UUID,
    status: str,
    reason: str | None,
    records: int | None,
) -> None:
    session.execute(
        "UPDATE batch_jobs SET status = %s, completed_at = now(), error_message = %s,"
        " records_processed = %s, duration_seconds = extract(epoch FROM now() - started_at),"
        " updated_at = now() WHERE id = %s AND status IN ('pending', 'running')",
        [status, reason and reason[:_LONGEST_REASON], records, job_id],
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, _FOR_USERS):
        return str(error)
    if isinstance(error, Exception):
        return f"The calculation failed ({type(error).__name__}); its run's log says why"
    return "The calculation was stopped; start it again"
