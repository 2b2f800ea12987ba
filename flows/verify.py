"""Phase 10: the plan's checks, on what lives in the databases and on what the backend shows."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from itertools import count
from typing import get_args

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.artifacts import rows_table
from flows.heartbeat import phase_flow
from flows.progress import moved
from flows.retrying import phase_task
from ops.books.verifications import record_verification
from ops.endpoints import Endpoints, present_endpoints
from ops.settings import operator_settings
from ops.verify import DATABASE_CHECKS, CheckResult, VerifyReport
from ops.verify import verify as verify_system
from ops.verify.http.checks import backend_checks
from ops.verify.report import Outcome, refuse_failures
from ops.verify.subject import days_to_verify


def _run_name() -> str:
    first, last = (flow_run.parameters[name] for name in ("first", "last"))
    return f"verify {first}..{last}" if first and last else "verify what was computed"


@phase_flow("verify", flow_run_name=_run_name)
def verify(first: date | None = None, last: date | None = None) -> VerifyReport:
    """Check both databases and their data, and the backend over HTTP; fails, naming them, when
    any check fails.

    Args:
        first: first day of the backfill that is verified; by default the first that was computed.
        last: last day of it; by default the last that was or, where prices reach further, could be.
    """
    endpoints = present_endpoints(operator_settings())
    computed = days_to_verify(endpoints.core)
    first, last = first or computed[0], last or computed[1]
    report = run_checks(endpoints, first, last)
    rows_table("verify-checks", _described(report, first, last), report.rows())
    record_verification(
        operator_settings().state,
        endpoints.core,
        (check.outcome for check in report.results),
        asked_backend=report.asked_backend,
        read=report.log_read,
    )
    refuse_failures(report)
    return report


def _described(report: VerifyReport, first: date, last: date) -> str:
    outcomes = Counter(check.outcome for check in report.results)
    counted = ", ".join(f"{outcomes[one]} {one}" for one in get_args(Outcome))
    return f"Verification of {first}..{last}: {counted}"


CHECKS = "checks"


@phase_task(CHECKS)
def run_checks(endpoints: Endpoints, first: date, last: date) -> VerifyReport:
    """Run every check; none stops the others, and each is told as it ends."""
    settings = operator_settings()
    with backend_checks(settings, endpoints) as more:
        return verify_system(
            endpoints.core,
            endpoints.ai,
            endpoints.legacy,
            first,
            last,
            more_checks=more,
            on_result=_teller(len(DATABASE_CHECKS) + len(more)),
            state=settings.state,
        )


def _teller(total: int) -> Callable[[CheckResult], None]:
    log, done = get_run_logger(), count(1)

    def tell(check: CheckResult) -> None:
        tell_of = log.warning if check.outcome == "fail" else log.info
        tell_of("%s: %s (%s)", check.outcome, check.name, check.detail)
        moved(CHECKS, next(done), total, "checks")

    return tell
