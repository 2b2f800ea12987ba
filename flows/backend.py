"""What the backend is told here, and `sigmasight serve`. Knows the Prefect server, not Prefect,
whose import takes longer than the start of the backend."""

from typing import NoReturn

from flows.prefect_server import PrefectServer
from ops.backend.environment import migrating_environment, served_environment
from ops.backend.foreground import become_backend, migrate, refuse_taken_address
from ops.backend.supervised import SupervisedBackend
from ops.books.declared_stack import declared
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import resolve_endpoints, without_removed
from ops.errors import DatabaseUnavailableError
from ops.settings import OperatorSettings, operator_settings


def backend_environment(settings: OperatorSettings) -> dict[str, str]:
    """What the backend is told, the Prefect server included if there is one. Whether that answers
    just now is not asked: a backend whose settings are others is started again.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    prefect = PrefectServer(settings.state)
    url = prefect.api_url if prefect.runs() or not prefect.ours else None
    return served_environment(settings, both=_holds_both(settings), prefect_api_url=url)


def _holds_both(settings: OperatorSettings) -> bool:
    """Whether there is an old database that the backend may serve from. Addresses that are given
    without a stack are those of the only pair there is."""
    endpoints = resolve_endpoints(settings)
    undeclared = not settings.embedded and declared(settings.state).active is None
    if undeclared:
        return False
    try:
        return without_removed(endpoints).legacy is not None
    except DatabaseUnavailableError:  # then the old database's lock says who serves
        return True


def start_backend(settings: OperatorSettings) -> SupervisedBackend:
    """Have the backend of the embedded databases run, without waiting for it.

    Raises:
        ConfigurationError: there are no databases to serve from.
        BackendUnavailableError: its supervisor does not start.
    """
    backend = SupervisedBackend(settings.state)
    backend.start(backend_environment(settings))
    return backend


def serve_here(host: str, port: int) -> NoReturn:
    """Become the backend, as the start command of a deployment does: migrate, which leaves the old
    database alone, then serve.

    Raises:
        ConfigurationError: nobody can listen there, or there are no databases.
        StartStoppedError: a chain refused or failed.
    """
    settings = operator_settings()
    refuse_taken_address(host, port)
    if settings.embedded and EmbeddedDatabases(settings.state).exists():
        EmbeddedDatabases(settings.state).up()
    environment = backend_environment(settings)
    migrate(migrating_environment(settings))
    become_backend(host, port, environment)
