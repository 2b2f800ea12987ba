"""Phase 2: the databases. Embedded servers are made or started, a declared stack is brought up
by Pulumi; external ones are given."""

from typing import Literal

from prefect import get_run_logger

from flows.artifacts import rows_table
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.backend.serving import keep_swapped
from ops.books.declared_stack import Target, declared
from ops.connection import connect, shown_address
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import Endpoints, given_legacy, present_endpoints
from ops.errors import ConfigurationError
from ops.legacy_demo import build_legacy, price_history
from ops.settings import OperatorSettings, operator_settings

Mode = Literal["up", "preview"]


@phase_flow("provision", flow_run_name="provision databases")
def provision(target: Target | None = None, mode: Mode = "up") -> list[dict[str, str]]:
    """Make and start the embedded servers, with the demo's old database; or have Pulumi bring a
    declared stack up; or check that the servers given by the environment answer.

    Args:
        target: whose servers a declared stack is to have; by default nothing is declared, and
            the embedded servers are made directly.
        mode: preview only shows what Pulumi would change.

    Returns:
        What of a declared stack was changed, or would be: resource, type and operation.
    """
    settings, changes = operator_settings(), []
    target = target or settings.SIGMASIGHT_TARGET
    if target or settings.SIGMASIGHT_STACK:
        _refuse_given_addresses(settings, target)
        changes = bring_up_stack(settings, target, mode)
    if mode == "preview":
        return changes
    if settings.embedded:
        provide_embedded(settings)
    reach(present_endpoints(settings))
    return changes


def _refuse_given_addresses(settings: OperatorSettings, target: Target | None) -> None:
    if settings.DATABASE_URL is not None and target != "external":
        raise ConfigurationError(
            "DATABASE_URL is set, so the phases would not use the stack's databases; unset it, "
            "or leave out --target"
        )


@phase_task("declared stack")
def bring_up_stack(
    settings: OperatorSettings, target: Target | None, mode: Mode
) -> list[dict[str, str]]:
    """Let the engine make what is declared, or show what it would do; never in an event loop of
    ours, because the engine's has to run."""
    # Only here: a phase without a declared stack needs nothing of Pulumi.
    from infra.automation import DrivenStack
    from infra.stack_secrets import given_addresses

    log = get_run_logger()
    last = declared(settings.state)
    name = settings.SIGMASIGHT_STACK or (last.target == target and last.name) or target or ""
    given = given_addresses(settings)
    stack = DrivenStack(settings.state, target, name, lambda line: log.info("%s", line), given)
    done = stack.preview() if mode == "preview" else stack.up()
    rows = [vars(change) for change in done]
    log.info("stack %s: %d changes%s", name, len(rows), "" if mode == "up" else " to be made")
    rows_table("stack-changes", f"{mode} of the stack {name}", rows or [_NOTHING])
    if mode == "up":
        keep_swapped(settings)
    return rows


_NOTHING = {"resource": "-", "type": "-", "operation": "nothing changed"}


@phase_task("embedded servers and legacy demo")
def provide_embedded(settings: OperatorSettings) -> None:
    """Bring the embedded servers up; fill the old database unless a real one is given."""
    log = get_run_logger()
    databases = EmbeddedDatabases(settings.state)
    demo = given_legacy(settings) is None and "legacy" in databases.names()
    prices = price_history(settings) if demo else None
    urls = databases.up()
    log.info("embedded PostgreSQL runs: %s", ", ".join(shown_address(url) for url in urls.values()))
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
                get_run_logger().info(
                    "%s answers: %s, PostgreSQL %s", name, shown_address(url), version
                )
