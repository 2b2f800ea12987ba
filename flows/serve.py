"""Phase 8: the backend of the active pair, kept running beside the embedded databases; until the
swap, a backend of the new pair stands by."""

from prefect import get_run_logger

from flows.backend import backend_environment, current_pair
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from ops.backend.supervised import SupervisedBackend
from ops.settings import OperatorSettings, operator_settings


@phase_flow("serve", flow_run_name="serve the backend")
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
    """Start the backends that do not run yet, and wait until users are served."""
    backend, pair = SupervisedBackend(settings.state), current_pair(settings)
    backend.start(backend_environment(settings, pair), pair)
    if pair == "old":
        private = backend.stage(backend_environment(settings, "new"), "new")
        get_run_logger().info("the new pair's backend stands by at %s", private)
    address = backend.wait()
    get_run_logger().info("the %s pair's backend answers at %s", pair, address)
    return address


def launch_backend() -> None:
    """Start the backend if it is ours, without waiting for it."""
    settings = operator_settings()
    if _is_ours(settings):
        pair = current_pair(settings)
        SupervisedBackend(settings.state).start(backend_environment(settings, pair), pair)


def _is_ours(settings: OperatorSettings) -> bool:
    """Servers that are given have their backend elsewhere, and so has BACKEND_URL."""
    return settings.embedded and settings.BACKEND_URL is None
