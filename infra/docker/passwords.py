"""The docker target's secrets: which there must be, and how they are read."""

from dataclasses import dataclass

from pulumi import Output

from infra.stack_config import PROJECT, StackConfig
from infra.stack_secrets import docker_secrets, password_keys
from infra.topology import Topology
from ops.embedded.databases import Name
from ops.errors import ConfigurationError


@dataclass(frozen=True)
class InstancePasswords:
    """One password per login role of a server; all of them secret outputs."""

    superuser: Output[str]
    owner: Output[str]
    app: Output[str]
    readonly: Output[str]


def check_secrets(topology: Topology, config: StackConfig) -> None:
    """Refuse a stack without its secrets, all of them named in one line.

    Raises:
        ConfigurationError: at least one is missing.
    """
    needed = docker_secrets(topology.databases)
    missing = [key for key in needed if not config.source.get(key)]
    if missing:
        raise ConfigurationError(
            f"the stack's secrets {', '.join(missing)} are missing; run `sigmasight up --target "
            f"docker`, which generates them, or `pulumi config set --secret {PROJECT}:KEY` for each"
        )


def instance_passwords(name: Name, config: StackConfig) -> InstancePasswords:
    """The passwords of one server."""
    return InstancePasswords(*(config.secret(key) for key in password_keys(name)))
