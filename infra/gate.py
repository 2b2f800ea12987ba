"""The pair that the backend of a docker or external stack serves. It is deployed once and holds
both: Core says which, and the stack reports it."""

from typing import TYPE_CHECKING

from infra.driven import Log, last_stack, stack_pair
from ops.books.active_pair import Pair
from ops.books.declared_stack import (
    declared_active,
    declared_backend,
    declared_target,
    record_active,
)
from ops.books.gate import take_over
from ops.books.marker import keep_books
from ops.books.session import open_books
from ops.cutover.gate_switch import GateSwitch
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError, SigmaSightError
from ops.settings import OperatorSettings

if TYPE_CHECKING:
    from infra.automation import DrivenStack


def switch_for(settings: OperatorSettings, log: Log) -> GateSwitch | None:
    """How the active pair is changed here; None for embedded servers, whose supervisor does it.

    Raises:
        ConfigurationError: no stack says what the backend is given, or nobody where it is.
    """
    if settings.embedded:
        return None
    stack = _stack(settings, log)
    return GateSwitch(resolve_endpoints(settings).core, _address(settings), stack.active)


def declared_pair(settings: OperatorSettings, log: Log) -> Pair | None:
    """The pair that serves now; None for embedded servers, whose state folder says it.

    Raises:
        ConfigurationError: no stack says what the backend is given.
        DatabaseUnavailableError: Core does not answer.
    """
    return None if settings.embedded else stack_pair(_stack(settings, log), settings)


def keep_swapped(settings: OperatorSettings) -> None:
    """Have Core say that the new pair serves, where a swap was made before it could: a backend at
    the gate believes nobody else, once the old database is locked."""
    if declared_active(settings.state) == "new" and not settings.embedded:
        endpoints = resolve_endpoints(settings)
        if endpoints.legacy is not None:
            keep_books(endpoints.core, endpoints.core_role)
            with open_books(endpoints.core) as session:
                take_over(session, "new")


def follow(settings: OperatorSettings, pair: Pair, log: Log) -> None:
    """After a swap or rollback: have the stack, where one is declared, say the same, which
    replaces nothing. What could not be done is told, never raised: the pair has changed already."""
    stack = last_stack(settings, log)
    if stack is None:
        return
    try:
        if stack.target != "embedded":
            record_active(settings.state, pair)
            stack.configure(active=pair)
        stack.up()
    except SigmaSightError as error:
        log(
            f"the stack {stack.name} does not name the active pair yet: {error}; then run the same "
            "command again"
        )


def _stack(settings: OperatorSettings, log: Log) -> "DrivenStack":
    target, stack = declared_target(settings.state), last_stack(settings, log)
    given = target == "docker" and settings.DATABASE_URL is not None
    if stack is None or target == "embedded" or given:
        raise ConfigurationError(
            "the databases are given by address, so nothing here says which of them the backend "
            "gets; declare that by `sigmasight up --target external`"
        )
    return stack


def _address(settings: OperatorSettings) -> str:
    found = settings.BACKEND_URL or declared_backend(settings.state)
    if found is None:
        raise ConfigurationError(
            "nothing says where the backend is; set BACKEND_URL to where users reach it, or for a "
            "container of the stack run `sigmasight up --target docker`"
        )
    return found
