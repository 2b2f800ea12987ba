"""Phases 3 and 4: both migration chains, then a look for drift."""

from prefect import get_run_logger

from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.marker import keep_books
from ops.drift import drift_of_pair
from ops.drift.refusal import refuse_drift
from ops.endpoints import Endpoints, resolve_endpoints
from ops.migrate import upgrade
from ops.settings import operator_settings


@phase_flow("migrate", flow_run_name="migrate Core and AI")
def migrate() -> None:
    """Bring Core and AI to the heads of their chains, one after the other."""
    endpoints = resolve_endpoints(operator_settings())
    migrate_core(endpoints)
    migrate_ai(endpoints)
    check_drift(endpoints)


@phase_task("Core chain")
def migrate_core(endpoints: Endpoints) -> None:
    """Upgrade Core, then make schema ops where provisioning has not."""
    report = upgrade("core", endpoints.core)
    keep_books(endpoints.core, endpoints.core_role)
    get_run_logger().info("Core: revision %s -> %s", report.before, report.after)


@phase_task("AI chain")
def migrate_ai(endpoints: Endpoints) -> None:
    """Upgrade AI, then mark it as the AI half."""
    report = upgrade("ai", endpoints.ai, shared=endpoints.shared)
    if not endpoints.shared:
        keep_books(endpoints.ai, "ai")
    get_run_logger().info("AI: revision %s -> %s", report.before, report.after)


@phase_task("drift")
def check_drift(endpoints: Endpoints) -> None:
    """Compare both live databases with what their chains build."""
    found = drift_of_pair(endpoints.core, endpoints.ai)
    for difference in found:
        get_run_logger().warning("drift: %s", difference.message)
    refuse_drift(found)
