"""What the phases need to know of a stack, kept as soon as all of it is there: by the program, so
that it makes no difference whether `sigmasight up` or `pulumi up` runs the engine."""

from contextlib import suppress
from typing import Any

import pulumi
from pulumi import Output, Resource

from infra.components import DeclaredStack
from infra.stack_config import PROJECT, StackConfig
from infra.topology import Topology
from ops.backend.serving import serving_pair
from ops.books.active_pair import Pair
from ops.books.declared_stack import RecordedStack, declared, record_declared
from ops.errors import ConfigurationError, DatabaseUnavailableError, RefusedError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder


def record_when_up(
    stack: DeclaredStack, last: Resource, topology: Topology, config: StackConfig, login: str | None
) -> None:
    """Record where the stack's databases are, once it is up.

    Args:
        last: what depends on everything else.
        login: where the engine keeps the stack's state, if not in the state folder.
    """
    embedded = topology.target == "embedded"  # whose servers have a record of their own
    state = config.state
    active, replicas = (None, None) if embedded else (_active(topology, state), config.replicas())

    def record(known: dict[str, Any]) -> None:
        del known["last"]
        name, backend = pulumi.get_stack(), stack.backend.url
        up = RecordedStack(topology.target, known, name, active, backend, login, replicas)
        record_declared(state, up)

    urls = {} if embedded else {name: db.owner_url for name, db in stack.instances.items()}
    Output.all(**urls, last=last.urn).apply(record)


def refuse_another_pair(topology: Topology, state: StateFolder) -> None:
    """See that a stack that was brought up here says which pair serves, if Core answers.

    Raises:
        RefusedError: it says another one, which somebody has set.
    """
    if declared(state).name != pulumi.get_stack():
        return
    with suppress(ConfigurationError, DatabaseUnavailableError):
        serves = serving_pair(OperatorSettings.model_validate({"SIGMASIGHT_HOME": state.root}))
        if serves != topology.active:
            raise RefusedError(
                f"the stack says active: {topology.active}, but {serves} serves; a stack only "
                "reports the pair, which `sigmasight swap` and `sigmasight rollback` change: "
                f"`pulumi config set {PROJECT}:active {serves}`"
            )


def _active(topology: Topology, state: StateFolder) -> Pair:
    """What cutovers have recorded, never what somebody has set; the configuration speaks for a
    stack that was brought up by a version that did not record it."""
    if declared(state).name != pulumi.get_stack():
        return "old" if topology.legacy == "present" else "new"
    return declared(state).active or topology.active
