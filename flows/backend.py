"""What the backend is told here, and `sigmasight serve`. Knows the Prefect server, not Prefect,
whose import takes longer than the start of the backend."""

from typing import NoReturn

from flows.prefect_server import PrefectServer
from ops.backend.environment import migrating_environment, served_environment
from ops.backend.foreground import become_backend, migrate, refuse_taken_address
from ops.embedded.databases import EmbeddedDatabases
from ops.settings import OperatorSettings, operator_settings


def backend_environment(settings: OperatorSettings) -> dict[str, str]:
    """What the backend is told, the Prefect server included if one answers.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    prefect = PrefectServer(settings.state)
    return served_environment(settings, prefect.api_url if prefect.answers() else None)


def serve_here(host: str, port: int) -> NoReturn:
    """Become the backend, as the start command of a deployment does: migrate, then serve.

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
