"""Phase 10: the plan's checks, on what lives in the databases and on what the backend shows."""

from datetime import date

from prefect import get_run_logger

from flows.artifacts import rows_table
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.verifications import record_verification
from ops.endpoints import Endpoints, resolve_endpoints
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.settings import operator_settings
from ops.verify import VerifyReport
from ops.verify import verify as verify_system
from ops.verify.http.checks import backend_checks
from ops.verify.report import refuse_failures


@phase_flow("verify", flow_run_name="verify {first}..{last}")
def verify(first: date = FIRST_DAY, last: date = LAST_DAY) -> None:
    """Check both databases and their data, and the backend over HTTP; fails, naming them, when
    any check fails.

    Args:
        first: first day of the backfill that is verified.
        last: last day of it.
    """
    endpoints = resolve_endpoints(operator_settings())
    report = run_checks(endpoints, first, last)
    for check in report.results:
        get_run_logger().info("%s: %s (%s)", check.outcome, check.name, check.detail)
    rows_table("verify-checks", f"Verification of {first}..{last}", report.rows())
    record_verification(
        operator_settings().state,
        endpoints.core,
        (check.outcome for check in report.results),
        asked_backend=report.asked_backend,
    )
    refuse_failures(report)


@phase_task("checks")
def run_checks(endpoints: Endpoints, first: date, last: date) -> VerifyReport:
    """Run every check; none stops the others."""
    settings = operator_settings()
    return verify_system(
        endpoints.core,
        endpoints.ai,
        endpoints.legacy,
        first,
        last,
        more_checks=backend_checks(settings, endpoints),
        state=settings.state,
    )
