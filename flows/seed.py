"""Phase 6: demo users, portfolios, reference data, knowledge base."""

from prefect import get_run_logger

from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.books.run_lock import exclusive_run
from ops.endpoints import Endpoints, resolve_endpoints
from ops.knowledge import seed_knowledge_base
from ops.seed import seed as seed_core
from ops.settings import operator_settings


@phase_flow("seed", flow_run_name="seed Core")
def seed() -> None:
    """Upsert the demo book, the reference data and the knowledge base. Idempotent."""
    endpoints = resolve_endpoints(operator_settings())
    with exclusive_run(endpoints.core):
        seed_book(endpoints)
        seed_knowledge(endpoints)


@phase_task("seed the demo book")
def seed_book(endpoints: Endpoints) -> None:
    """Seed in one transaction."""
    password = operator_settings().demo_password()
    report = seed_core(endpoints.core, demo_password=password, legacy_url=endpoints.legacy)
    changed = {table: rows for table, rows in report.written.items() if rows}
    get_run_logger().info(
        "seeded %s; benchmark weights: %s", changed or "nothing new", report.benchmark_source
    )


@phase_task("seed the knowledge base")
def seed_knowledge(endpoints: Endpoints) -> None:
    """Store and embed our documents."""
    changed = seed_knowledge_base(endpoints.ai)
    get_run_logger().info(
        "knowledge base: %s", f"{changed} rows written" if changed else "as it was"
    )
