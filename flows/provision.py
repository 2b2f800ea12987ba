"""Phase 2: the databases. Embedded servers are made or started; external ones are given."""

from prefect import flow, get_run_logger

from flows.retrying import phase_task
from ops.connection import connect, place
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import Endpoints, resolve_endpoints
from ops.legacy_demo import build_legacy, price_history
from ops.settings import OperatorSettings, operator_settings


@flow(name="provision", flow_run_name="provision databases")
def provision() -> None:
    """Make and start the embedded servers, with the demo's old database; or check that the
    servers given by the environment answer."""
    settings = operator_settings()
    if settings.DATABASE_URL is None:
        provide_embedded(settings)
    reach(resolve_endpoints(settings))


@phase_task("embedded servers and legacy demo")
def provide_embedded(settings: OperatorSettings) -> None:
    """Bring the embedded servers up; fill the old database unless a real one is given."""
    log = get_run_logger()
    prices = price_history(settings) if settings.LEGACY_DATABASE_URL is None else None
    urls = EmbeddedDatabases(settings.state).up()
    log.info("embedded PostgreSQL runs: %s", ", ".join(place(url) for url in urls.values()))
    if prices is not None:
        report = build_legacy(urls["legacy"], prices, settings)
        state = "made" if report.created else "there already"
        log.info("legacy demo database %s (%s prices)", state, report.price_source)


@phase_task("reach the databases")
def reach(endpoints: Endpoints) -> None:
    """Log in to every database once."""
    for name in ("core", "ai", "legacy"):
        url = getattr(endpoints, name)
        if url is not None:
            with connect(url, application_name="provision") as connection:
                version = connection.info.parameter_status("server_version")
                get_run_logger().info("%s answers: %s, PostgreSQL %s", name, place(url), version)
