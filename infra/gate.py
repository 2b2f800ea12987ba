"""The gate of a stack whose backend is deployed once, not embedded; and stacks of any target,
which report the pair."""

from infra.driven import Log, last_stack
from ops.backend.serving import refuse_undeclared, served_before
from ops.books.active_pair import Pair
from ops.books.declared_stack import record_active
from ops.cutover.gate_switch import GateSwitch
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError, SigmaSightError
from ops.settings import OperatorSettings


def switch_for(settings: OperatorSettings) -> GateSwitch:
    """How the active pair is changed where somebody else runs the backend.

    Raises:
        ConfigurationError: no stack says what the backend is given, or nobody where it is.
    """
    refuse_undeclared(settings)
    endpoints, address = resolve_endpoints(settings), _address(settings)
    before = served_before(settings, endpoints)
    return GateSwitch(endpoints.core, endpoints.legacy, before, lambda: address)


def follow(settings: OperatorSettings, pair: Pair, log: Log) -> None:
    """After a swap or rollback: have the stack, where one is declared, say the same, which
    replaces nothing. What could not be done is told, never raised: the pair has changed already."""
    stack = last_stack(settings, log)
    if stack is None:
        return
    try:
        record_active(settings.state, pair)
        stack.configure(active=pair)
        stack.up()
    except SigmaSightError as error:
        log(
            f"the stack {stack.name} does not name the active pair yet: {error}; then run the same "
            "command again"
        )


def _address(settings: OperatorSettings) -> str:
    if (found := settings.backend_address) is None:
        raise ConfigurationError(
            "nothing says where the backend is; set BACKEND_URL to where users reach it, or for a "
            "container of the stack run `sigmasight up --target docker`"
        )
    return found
