"""Phase 8: the backend on two databases, kept running beside the embedded ones."""

from prefect import flow, get_run_logger

from flows.backend import backend_environment
from flows.retrying import phase_task
from ops.backend.process import BackgroundBackend
from ops.settings import OperatorSettings, operator_settings


@flow(name="serve", flow_run_name="serve the backend")
def serve() -> str | None:
    """Have the backend served, and return its address; None where that is not ours to do and
    no address is given."""
    settings = operator_settings()
    if not _is_ours(settings):
        get_run_logger().info(
            "the backend is not ours to serve: %s", settings.BACKEND_URL or "none"
        )
        return settings.BACKEND_URL
    return serve_in_background(settings)


@phase_task("background backend")
def serve_in_background(settings: OperatorSettings) -> str:
    """Start the backend unless it serves already, and wait until it does."""
    backend = BackgroundBackend(settings.state)
    backend.start(backend_environment(settings))
    address = backend.wait()
    get_run_logger().info("the backend answers at %s", address)
    return address


def launch_backend() -> None:
    """Start the backend if it is ours, without waiting for it."""
    settings = operator_settings()
    if _is_ours(settings):
        BackgroundBackend(settings.state).start(backend_environment(settings))


def _is_ours(settings: OperatorSettings) -> bool:
    """Servers that are given have their backend elsewhere, and so has BACKEND_URL."""
    return settings.embedded and settings.BACKEND_URL is None
