"""Phase 8: the backend, kept running beside the embedded databases. It holds both pairs until the
cleanup."""

from prefect import get_run_logger

from flows.backend import start_backend
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.backend.serving import keep_swapped
from ops.settings import OperatorSettings, operator_settings


@phase_flow("serve", flow_run_name="serve the backend")
def serve() -> str | None:
    """Have the backend served, and return its address; None where that is not ours to do and
    no address is given."""
    settings = operator_settings()
    if not settings.backend_is_ours:
        get_run_logger().info(
            "the backend is not ours to serve: %s", settings.BACKEND_URL or "none"
        )
        return settings.BACKEND_URL
    return serve_in_background(settings)


@phase_task("background backend")
def serve_in_background(settings: OperatorSettings) -> str:
    """Start the backend if it does not run yet, and wait until users are served."""
    keep_swapped(settings)
    address = start_backend(settings).wait()
    get_run_logger().info("the backend answers at %s", address)
    return address


def launch_backend() -> None:
    """Start the backend if it is ours, without waiting for it."""
    settings = operator_settings()
    if settings.backend_is_ours:
        keep_swapped(settings)
        start_backend(settings)
