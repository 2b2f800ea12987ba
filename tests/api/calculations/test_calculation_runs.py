"""Calculations from the request to the rows: the runs that Prefect is asked for are carried out."""

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from ops.books.run_lock import exclusive_run
from tests.api.calculations.desk import LAST, Desk, calculate, status_of
from tests.api.conftest import INDIVIDUAL


def let_lag(desk: Desk, portfolio: str, first: str) -> None:
    """As if the batch had not come to this portfolio since `first`."""
    for relation, day in (
        ("portfolio_snapshots", "snapshot_date"),
        ("ops.backfill_ledger", "calculation_date"),
    ):
        desk.rows(
            f"DELETE FROM {relation} WHERE portfolio_id = %s AND {day} >= %s", portfolio, first
        )
    desk.rows("DELETE FROM batch_run_tracking WHERE run_date >= %s", first)


@pytest.mark.soak
def test_a_lagging_portfolio_is_caught_up(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    before = desk.snapshots()
    let_lag(desk, portfolio, "2025-12-15")
    assert len(desk.snapshots()) == len(before) - 5
    with desk.client() as client:
        response = calculate(client, portfolio)
        assert response.status_code == 202, response.text
        started = response.json()
        job_id = started["batch_run_id"]
        assert (started["status"], started["portfolio_id"]) == ("started", portfolio)
        assert started["preprocessing"]["ready_for_batch"] is True
        run = desk.flow_run(job_id)
        assert run["state_type"] == "SCHEDULED"
        assert run["parameters"] == {
            "first": "2025-12-13",
            "last": LAST,
            "mode": "missing",
            "batch_run_id": job_id,
        }
        assert client.get(started["poll_url"]).json() == {
            "status": "pending",
            "batch_run_id": job_id,
            "portfolio_id": portfolio,
            "started_at": None,
            "triggered_by": INDIVIDUAL,
            "elapsed_seconds": None,
            "error_message": None,
        }
        metadata = desk.job(job_id)["job_metadata"]
        assert (
            metadata.items()
            >= {"prefect_flow_run_id": run["id"], "portfolio_id": portfolio}.items()
        )
        assert desk.carry_out(job_id).wait(120) == 0, desk.log()
        finished = client.get(started["poll_url"]).json()
    assert finished["status"] == "completed"
    assert finished["started_at"].endswith("Z")
    assert finished["elapsed_seconds"] >= 0
    assert desk.snapshots() == before
    job = desk.job(job_id)
    assert job["records_processed"] > 5 * 16 * 10
    assert job["completed_at"] >= job["started_at"]
    assert desk.flow_run(job_id)["state_type"] == "COMPLETED"


@pytest.mark.soak
def test_a_killed_run_is_seen_at_once_and_the_next_one_finishes_its_work(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    before = desk.snapshots()
    let_lag(desk, portfolio, "2025-10-01")
    with desk.client() as client:
        killed = calculate(client, portfolio).json()["batch_run_id"]
        process = desk.carry_out(killed)
        wait_until(lambda: desk.job(killed)["status"] == "running", process)
        assert status_of(client, portfolio, killed)["status"] == "running"
        assert calculate(client, portfolio).status_code == 409
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        wait_until(lambda: status_of(client, portfolio, killed)["status"] == "failed")
        assert "without a word" in status_of(client, portfolio, killed)["error_message"]
        again = calculate(client, portfolio)
        assert again.status_code == 202, again.text
        job_id = again.json()["batch_run_id"]
        assert desk.job(killed)["status"] == "failed"
        assert desk.carry_out(job_id).wait(120) == 0, desk.log()
        assert status_of(client, portfolio, job_id)["status"] == "completed"
    assert desk.snapshots() == before


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process is None or process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.soak
def test_a_run_that_fails_leaves_its_reason(desk: Desk) -> None:
    """The lock of the phases is held by somebody else."""
    portfolio = desk.portfolios()[0]
    with desk.client() as client:
        job_id = calculate(client, portfolio).json()["batch_run_id"]
        with exclusive_run(desk.core):
            desk.carry_out(job_id).wait(120)
        found = status_of(client, portfolio, job_id)
    assert desk.flow_run(job_id)["state_type"] == "FAILED"
    assert (found["status"], found["started_at"]) == ("failed", None)
    assert "another run works on this database" in found["error_message"]
