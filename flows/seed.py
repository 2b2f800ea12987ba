"""Phase 6: reference data, knowledge base, and the demo's users and portfolios."""

from prefect import get_run_logger

from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.run_lock import exclusive_run
from ops.demo.marker import is_demo
from ops.endpoints import Endpoints, present_endpoints
from ops.knowledge import seed_knowledge_base
from ops.seed import seed as seed_core
from ops.settings import operator_settings


@phase_flow("seed", flow_run_name="seed Core")
def seed(demo: bool = False) -> None:
    """Upsert the reference data and the knowledge base; where the old database is the demo's, the
    demo's book too. Idempotent.

    Args:
        demo: add the demo's users, portfolios and tags to those of another old database.
    """
    endpoints = present_endpoints(operator_settings())
    with exclusive_run(endpoints.core):
        seed_core_data(endpoints, demo)
        seed_knowledge(endpoints)


@phase_task("seed Core")
def seed_core_data(endpoints: Endpoints, demo: bool) -> None:
    """Seed in one transaction."""
    log = get_run_logger()
    own = is_demo(endpoints.legacy, endpoints.core)
    password = operator_settings().demo_password() if demo or own else None
    report = seed_core(
        endpoints.core, demo_password=password, legacy_url=endpoints.legacy, adopt=own
    )
    changed = {table: rows for table, rows in report.written.items() if rows}
    of_legacy = ", ".join(report.from_legacy) or "nothing"
    log.info("seeded %s; from the old database: %s", changed or "nothing new", of_legacy)
    for line in report.rejected:
        log.warning("not taken from the old database: %s", line)
    for email in report.others:
        log.warning("%s is somebody else's in the old database and was left alone", email)


@phase_task("seed the knowledge base")
def seed_knowledge(endpoints: Endpoints) -> None:
    """Store and embed our documents."""
    changed = seed_knowledge_base(endpoints.ai)
    get_run_logger().info(
        "knowledge base: %s", f"{changed} rows written" if changed else "as it was"
    )
