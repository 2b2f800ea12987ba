"""What the backend is told here, and `sigmasight serve`. Knows the Prefect server, not Prefect,
whose import takes longer than the start of the backend."""

from typing import NoReturn

from flows.prefect_server import PrefectServer
from ops.backend.environment import migrating_environment, served_environment
from ops.backend.foreground import become_backend, migrate, refuse_taken_address
from ops.books.active_pair import Pair, active_pair
from ops.books.declared_stack import declared_active
from ops.books.gate import served_pair
from ops.books.session import open_books
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import resolve_endpoints
from ops.settings import OperatorSettings, operator_settings


def current_pair(settings: OperatorSettings) -> Pair:
    """The pair that is served from: what the state folder says, or Core of another target's stack.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    if not settings.embedded:
        return _declared_pair(settings)
    legacy = resolve_endpoints(settings).legacy
    return active_pair(settings.state, has_legacy=legacy is not None)


def _declared_pair(settings: OperatorSettings) -> Pair:
    declared = declared_active(settings.state)
    if declared is None:
        return "new"
    with open_books(resolve_endpoints(settings).core) as session:
        return served_pair(session) or declared


def backend_environment(settings: OperatorSettings, pair: Pair) -> dict[str, str]:
    """What the backend of a pair is told, the Prefect server included if one answers.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    prefect = PrefectServer(settings.state)
    return served_environment(settings, pair, prefect.api_url if prefect.answers() else None)


def serve_here(host: str, port: int) -> NoReturn:
    """Become the backend of the active pair, as the start command of a deployment does: migrate,
    which leaves the old pair alone, then serve.

    Raises:
        ConfigurationError: nobody can listen there, or there are no databases.
        StartStoppedError: a chain refused or failed.
    """
    settings = operator_settings()
    refuse_taken_address(host, port)
    if settings.embedded and EmbeddedDatabases(settings.state).exists():
        EmbeddedDatabases(settings.state).up()
    pair = current_pair(settings)
    environment = backend_environment(settings, pair)
    migrate(migrating_environment(settings, pair))
    become_backend(host, port, environment)
