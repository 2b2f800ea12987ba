"""A backend that may calculate, and what its tests do with it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from app.chain_folders import PROJECT_ROOT
from flows.prefect_server import PrefectServer
from ops.connection import connect, conninfo
from tests.api.backend import authorization
from tests.api.conftest import INDIVIDUAL
from tests.prefect_session import ask

FAMILY = "demo_familyoffice@sigmasight.com"
LAST = "2025-12-19"


@dataclass
class Desk:
    """A backend that may calculate, its Core database, and its Prefect server."""

    url: str
    core: URL
    ai: URL
    prefect: PrefectServer
    folder: Path

    def client(self, email: str = INDIVIDUAL) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=authorization(email), timeout=60)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self.core, application_name="tests") as core:
            cursor = core.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def portfolios(self, email: str = INDIVIDUAL) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "SELECT p.id::text FROM portfolios p JOIN users u ON u.id = p.user_id "
                "WHERE u.email = %s ORDER BY p.created_at, p.id",
                email,
            )
        ]

    def snapshots(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT portfolio_id, snapshot_date, total_value, daily_pnl, hhi, beta_calculated_90d "
            "FROM portfolio_snapshots ORDER BY 1, 2"
        )

    def job(self, job_id: str) -> dict[str, Any]:
        found = self.rows("SELECT to_jsonb(j) FROM batch_jobs j WHERE id = %s", job_id)
        job: dict[str, Any] = found[0][0]
        return job

    def unfinished(self) -> int:
        return len(self.rows("SELECT 1 FROM batch_jobs WHERE status IN ('pending', 'running')"))

    def given_job(self, portfolio: str, status: str, age: str) -> str:
        job_id = str(uuid4())
        self.rows(
            "INSERT INTO batch_jobs (id, job_name, job_type, status, job_metadata, started_at,"
            " created_at, updated_at) VALUES (%s, 'calculate', 'backfill', %s, %s,"
            " now() - %s::interval, now() - %s::interval, now())",
            job_id, status, Jsonb({"portfolio_id": portfolio}), age, age,
        )  # fmt: skip
        return job_id

    def flow_run(self, job_id: str) -> dict[str, Any]:
        runs = ask(
            self.prefect,
            "flow_runs/filter",
            {"flow_runs": {"idempotency_key": {"any_": [job_id]}}},
        )
        assert len(runs) == 1
        run: dict[str, Any] = runs[0]
        return run

    def worker(self, code: tuple[str, ...], **environment: str) -> subprocess.Popen[bytes]:
        """A process of Prefect's, as one that serves the deployment would start it."""
        assert self.prefect.api_url is not None
        with open(self.folder / "worker.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, *code],
                cwd=PROJECT_ROOT,
                stdout=log,
                stderr=log,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    "SIGMASIGHT_HOME": str(self.folder / "home"),
                    "PREFECT_HOME": str(self.folder / "prefect"),
                    "PREFECT_API_URL": self.prefect.api_url,
                    "DATABASE_URL": conninfo(self.core),
                    "AI_DATABASE_URL": conninfo(self.ai),
                    **environment,
                },
            )

    def carry_out(self, job_id: str) -> subprocess.Popen[bytes]:
        """Start the flow run that the backend asked for."""
        run = self.flow_run(job_id)["id"]
        return self.worker(("-m", "prefect.engine"), PREFECT__FLOW_RUN_ID=run)

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()


def calculate(client: httpx.Client, portfolio: str) -> httpx.Response:
    return client.post(f"/api/v1/analytics/portfolio/{portfolio}/calculate")


def status_of(client: httpx.Client, portfolio: str, job_id: str) -> dict[str, Any]:
    response = client.get(f"/api/v1/analytics/portfolio/{portfolio}/batch-status/{job_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found
