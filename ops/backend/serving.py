"""Which pair serves here, and that Core says so."""

from contextlib import suppress

from ops.books.active_pair import Pair, active_pair, forget_pair_before, pair_before
from ops.books.declared_stack import declared_target
from ops.books.gate import take_over
from ops.books.marker import keep_books
from ops.books.session import open_books
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.settings import OperatorSettings


def serving_pair(settings: OperatorSettings) -> Pair:
    """The pair that serves now.

    Raises:
        ConfigurationError: there are no databases, or nothing says it.
        DatabaseUnavailableError: Core does not answer.
    """
    endpoints = resolve_endpoints(settings)
    return active_pair(endpoints.core, served_before(settings, endpoints))


def served_before(settings: OperatorSettings, endpoints: Endpoints) -> Pair:
    """What serves where Core says nothing yet. See `pair_before`."""
    return pair_before(settings.state, has_legacy=endpoints.legacy is not None)


def keep_swapped(settings: OperatorSettings) -> None:
    """Have Core say that the new pair serves, where a swap was made before it could: a backend at
    the gate believes nobody else, once the old database is locked. A lost Core is told later."""
    endpoints = resolve_endpoints(settings)
    with suppress(DatabaseUnavailableError):
        if endpoints.legacy is not None and served_before(settings, endpoints) == "new":
            keep_books(endpoints.core, endpoints.core_role)
            with open_books(endpoints.core) as session:
                take_over(session, "new")
        forget_pair_before(settings.state)


def refuse_undeclared(settings: OperatorSettings) -> None:
    """See that the databases are ours, or of a stack.

    Raises:
        ConfigurationError: they are given by address, so that nothing says which pair serves.
    """
    target = declared_target(settings.state)
    given = target in ("docker", "railway") and settings.DATABASE_URL is not None
    if not settings.embedded and (target in (None, "embedded") or given):
        raise ConfigurationError(
            "the databases are given by address, so nothing here says which of them the backend "
            "gets; declare that by `sigmasight up --target external`"
        )
