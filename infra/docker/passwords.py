"""The docker target's secrets: which there must be, and how they are read."""

from dataclasses import dataclass

from pulumi import Output

from infra.backend_key import SECRET_KEY
from infra.stack_config import PROJECT, StackConfig
from infra.topology import Topology
from ops.embedded.databases import Name
from ops.errors import ConfigurationError

_ROLES = ("Superuser", "Owner", "App", "Readonly")


@dataclass(frozen=True)
class InstancePasswords:
    """One password per login role of a server; all of them secret outputs."""

    superuser: Output[str]
    owner: Output[str]
    app: Output[str]
    readonly: Output[str]


def secret_keys(topology: Topology) -> tuple[str, ...]:
    """The configuration keys that must hold secrets before the stack can be declared."""
    passwords = [
        f"{instance.name}{role}Password" for instance in topology.instances for role in _ROLES
    ]
    return (*passwords, SECRET_KEY)


def check_secrets(topology: Topology, config: StackConfig) -> None:
    """Refuse a stack without its secrets, all of them named in one line.

    Raises:
        ConfigurationError: at least one is missing.
    """
    missing = [key for key in secret_keys(topology) if not config.source.get(key)]
    if missing:
        raise ConfigurationError(
            f"the stack's secrets {', '.join(missing)} are missing; run `sigmasight up --target "
            f"docker`, which generates them, or `pulumi config set --secret {PROJECT}:KEY` for each"
        )


def instance_passwords(name: Name, config: StackConfig) -> InstancePasswords:
    """The passwords of one server."""
    return InstancePasswords(*(config.secret(f"{name}{role}Password") for role in _ROLES))
