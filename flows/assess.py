"""The account of the old database, before anything of it is moved."""

from prefect import get_run_logger

from flows.artifacts import rows_table
from flows.retrying import phase_task
from ops.assessment import assess
from ops.assessment.report import account_lines, account_rows, refuse_no_go
from ops.endpoints import Endpoints
from ops.legacy_access.account import recorded_access


@phase_task("account of the old database")
def account_for_legacy(endpoints: Endpoints) -> None:
    """Say what becomes of every table and column; stop where the old database cannot be moved."""
    if endpoints.legacy is None:
        return
    with recorded_access(endpoints.core, endpoints.legacy, "assessment"):
        account = assess(endpoints.legacy)
    for line in account_lines(account):
        get_run_logger().info(line)
    rows_table("legacy-account", "Every table of the old database", account_rows(account))
    refuse_no_go(account)
