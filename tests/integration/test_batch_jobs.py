"""What a backfill leaves of the job that it carries out, however it ends."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from app.database import close_connections
from app.errors import UnavailableError
from app.gate.serving_pair import serving_pair
from app.jobs import calculations
from ops.batch_jobs import BatchJob, batch_job
from ops.connection import connect, conninfo
from ops.errors import (
    BadInputError,
    BusyError,
    ConfigurationError,
    DatabaseUnavailableError,
    VerificationError,
)
from tests.api.backend import SECRET_KEY, cached_settings


@pytest.fixture
def rows(core_url: URL) -> Callable[..., list[tuple[Any, ...]]]:
    def run(query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(core_url, application_name="tests") as core:
            cursor = core.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return run


Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def new_job(rows: Rows) -> Callable[..., UUID]:
    def make(status: str = "pending", job_type: str = "backfill", portfolio: str = "") -> UUID:
        job_id = uuid4()
        rows(
            "INSERT INTO batch_jobs (id, job_name, job_type, status, job_metadata, started_at,"
            " created_at, updated_at) VALUES (%s, 'calculate', %s, %s, %s,"
            " CASE WHEN %s = 'running' THEN now() - interval '1 hour' END, now(), now())",
            job_id, job_type, status, Jsonb({"portfolio_id": portfolio or str(uuid4())}), status,
        )  # fmt: skip
        return job_id

    return make


def outcome(rows: Rows, job_id: UUID) -> tuple[Any, ...]:
    found = rows("SELECT status, error_message FROM batch_jobs WHERE id = %s", job_id)
    return found[0]


def test_a_job_runs_and_is_completed(core_url: URL, rows: Rows, new_job: Any) -> None:
    job_id = new_job()
    with batch_job(core_url, job_id) as job:
        job.begin()
        assert outcome(rows, job_id) == ("running", None)
        rows("UPDATE batch_jobs SET started_at = started_at - interval '90 s'")
        job.complete(1234)
    found = rows(
        "SELECT status, records_processed, error_message, completed_at - started_at > '90 s',"
        " duration_seconds - round(extract(epoch FROM completed_at - started_at)) FROM batch_jobs"
    )
    assert found == [("completed", 1234, None, True, 0)]


def test_a_job_can_be_carried_out_again(core_url: URL, rows: Rows, new_job: Any) -> None:
    """Prefect runs a failed run once more."""
    job_id = new_job()
    job = BatchJob(core_url, job_id)
    job.fail("no luck")
    job.begin()
    assert outcome(rows, job_id) == ("running", None)
    job.complete(1)
    assert outcome(rows, job_id) == ("completed", None)


def test_who_holds_the_lock_fails_the_jobs_that_were_left_running(
    core_url: URL, rows: Rows, new_job: Any
) -> None:
    """Also when nobody waits for the run itself."""
    left, waiting, foreign = new_job("running"), new_job(), new_job("running", "nightly")
    with batch_job(core_url, None) as job:
        job.begin()
        job.complete(5)
    status, reason = outcome(rows, left)
    assert (status, "ended without a word" in reason) == ("failed", True)
    assert outcome(rows, waiting) == ("pending", None)
    assert outcome(rows, foreign) == ("running", None)


def test_a_job_that_is_not_there_is_refused(core_url: URL) -> None:
    job_id = uuid4()
    with pytest.raises(BadInputError, match=f"no job {job_id}"), batch_job(core_url, job_id) as job:
        job.begin()


def carry_out(core: URL, job_id: UUID, error: BaseException, completed: bool = False) -> None:
    with batch_job(core, job_id) as job:
        job.begin()
        if completed:
            job.complete(7)
        raise error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BadInputError("no price of AAPL"), "no price of AAPL"),
        (BusyError("another run works here"), "another run works here"),
        (VerificationError("x" * 2000), "x" * 1000),
        (ConfigurationError("db:5432/core refuses the password"), "ConfigurationError"),
        (DatabaseUnavailableError("db:5432/core went away"), "DatabaseUnavailableError"),
        (ValueError("postgresql://owner:secret@db/core"), "ValueError"),
        (KeyboardInterrupt(), "was stopped"),
        (SystemExit(143), "was stopped"),
    ],
)
def test_a_failure_leaves_a_reason_that_names_no_place(
    error: BaseException, reason: str, core_url: URL, rows: Rows, new_job: Any
) -> None:
    job_id = new_job()
    with pytest.raises(type(error)):
        carry_out(core_url, job_id, error)
    status, stored = outcome(rows, job_id)
    assert status == "failed"
    assert reason in stored
    assert len(stored) <= 1000
    assert not {"secret", "5432"} & set(stored.replace(":", " ").split())


def test_a_failure_after_the_end_changes_nothing(core_url: URL, rows: Rows, new_job: Any) -> None:
    """Another portfolio's bad day fails the run, not the job."""
    job_id = new_job()
    with pytest.raises(VerificationError):
        carry_out(core_url, job_id, VerificationError("another portfolio stopped"), completed=True)
    assert outcome(rows, job_id) == ("completed", None)


def test_a_day_of_its_portfolio_that_cannot_be_stored_fails_the_job(
    core_url: URL, rows: Rows, new_job: Any
) -> None:
    own, other = str(uuid4()), str(uuid4())
    for portfolio, day, reason in (
        (other, "2025-07-01", "not ours"),
        (own, "2025-07-03", "beta does not fit"),
    ):
        rows(
            "INSERT INTO ops.backfill_ledger (portfolio_id, calculation_date, status, reason)"
            " VALUES (%s, %s, 'failed', %s)",
            portfolio, day, reason,
        )  # fmt: skip
    job = BatchJob(core_url, new_job(portfolio=own))
    job.begin()
    job.complete(7)
    assert job.job_id is not None
    assert outcome(rows, job.job_id) == ("failed", "stopped at 2025-07-03: beta does not fit")


def test_a_database_that_is_away_does_not_hide_what_went_wrong(core_url: URL) -> None:
    nowhere = core_url.set(port=1)
    with pytest.raises(BadInputError, match="no price"), batch_job(nowhere, uuid4()):
        raise BadInputError("no price")


def test_a_job_that_the_pair_served_by_now_does_not_know_is_not_called_accepted(
    core_url: URL, old_shape: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback came while Prefect was asked, and what was recorded before stays in Core."""

    async def start_in_a_rollback(_job_id: UUID, _days: object) -> UUID:
        serving_pair.set("old")
        return uuid4()

    async def run() -> None:
        serving_pair.set("new")
        try:
            await calculations._run(uuid4(), {}, {})
        finally:
            await close_connections()

    told = {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": conninfo(old_shape)}
    told |= {"DATABASE_URL": conninfo(core_url), "SECRET_KEY": SECRET_KEY}
    monkeypatch.setattr(calculations, "start_backfill", start_in_a_rollback)
    with (
        cached_settings(told),
        pytest.raises(UnavailableError, match="changed meanwhile; ask again"),
    ):
        asyncio.run(run())
