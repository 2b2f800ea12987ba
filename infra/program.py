"""The program that the engine runs: configuration in, one target's resources out."""

from collections.abc import Iterator
from difflib import get_close_matches

import pulumi
import yaml
from pulumi.runtime.config import CONFIG

from app.chain_folders import PROJECT_ROOT
from infra.components import DeclaredStack
from infra.deletion_guard import DeletionGuard, watch_declared
from infra.pulumi_cli import login_in_use
from infra.record import record_when_up, refuse_another_pair
from infra.stack_config import PROJECT, StackConfig
from infra.stack_secrets import ALL_SECRETS, LEGACY_SCHEMA
from infra.topology import Topology
from ops.books.declared_stack import Target
from ops.errors import ConfigurationError, SigmaSightError
from ops.state_folder import StateFolder


def declare(
    state: StateFolder | None = None, target: Target | None = None, login: str | None = None
) -> None:
    """Declare the stack that is selected, and record it once it is up.

    Args:
        state: the state folder; by default that of the project's folder, as for `pulumi up`.
        target: refuse a stack that is configured for another; by default any will do.
        login: beside `state`: where the engine keeps the stack's state, if not there.

    Raises:
        RunError: the configuration cannot be used; the engine shows its one line, no trace.
    """
    try:
        config = StackConfig(state) if state else StackConfig()
        config.state.create()
        topology = config.topology()
        _check_target(topology, target)
        for sentence in _unknown_keys():
            pulumi.log.warn(sentence)
        refuse_another_pair(topology, config.state)
        stack, last = _declare_guarded(topology, config)
        stack.export()
        if not pulumi.runtime.is_dry_run():
            login = login if state else login_in_use(config.state)
            record_when_up(stack, last, topology, config, login)
    except SigmaSightError as error:
        raise pulumi.RunError(str(error)) from None
    pulumi.export("target", topology.target)
    pulumi.export("active", topology.active)
    pulumi.export("legacy", topology.legacy)


def _check_target(topology: Topology, wanted: Target | None) -> None:
    if wanted not in (None, topology.target):
        raise ConfigurationError(
            f"this stack is for the target {topology.target}, not {wanted}; give the stack "
            "another name by SIGMASIGHT_STACK"
        )


def _unknown_keys() -> Iterator[str]:
    """A sentence for each key of the stack that nothing reads: a mistyped one would silently do
    nothing."""
    settings = yaml.safe_load((PROJECT_ROOT / "Pulumi.yaml").read_text())
    known = [*settings["config"], *ALL_SECRETS, LEGACY_SCHEMA]
    for name in CONFIG.get():
        key = name.removeprefix(f"{PROJECT}:")
        if key in known or key == name:
            continue
        near = get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"the stack's {key} is no setting and does nothing{hint}"


def _declare_guarded(
    topology: Topology, config: StackConfig
) -> tuple[DeclaredStack, pulumi.Resource]:
    """The stack, and what is there only when all of it is."""
    declared = watch_declared()
    stack = _declare_target(topology, config)
    if topology.target == "external":  # whose databases are not the stack's to delete
        return stack, stack.backend
    options = pulumi.ResourceOptions(
        parent=stack.backend, depends_on=declared, protect=config.flag("protect", True)
    )
    return stack, DeletionGuard("deletion-guard", options)


def _declare_target(topology: Topology, config: StackConfig) -> DeclaredStack:
    # Each target's module is imported only where it is used: docker's provider takes a second.
    if topology.target == "docker":
        from infra.docker import declare_docker

        return declare_docker(topology, config)
    if topology.target == "external":
        from infra.external import declare_external

        return declare_external(topology, config)
    if topology.target == "railway":
        from infra.railway import declare_railway

        return declare_railway(topology, config)
    from infra.embedded import declare_embedded

    return declare_embedded(topology, config)
