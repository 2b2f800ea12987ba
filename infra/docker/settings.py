"""The docker target's configuration, read once and checked before anything is declared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi

from infra.policies.rules import is_pinned
from infra.postgres_settings import PostgresSettings, postgres_settings
from infra.stack_config import PROJECT, StackConfig
from infra.topology import Topology
from ops.embedded.databases import Name
from ops.embedded.server import LOOPBACK
from ops.errors import ConfigurationError

# PostgreSQL 17.11 with pgvector 0.8.6, for amd64 and arm64.
DATABASE_IMAGE = (
    "pgvector/pgvector:0.8.6-pg17"
    "@sha256:cf134a767f474095eeba57e0117be8e568e011a63f33fbf252f14c9b760f8e6f"
)
_EVERYWHERE = ("0.0.0.0", "::")
_DATABASE_PORTS: Mapping[Name, int] = {"legacy": 5440, "core": 5441, "ai": 5442}


@dataclass(frozen=True)
class DockerSettings:
    """What the docker target is told.

    Attributes:
        stack: the stack's name; each container, volume and network carries it.
        bind_address: on which address of the Docker host ports are published.
        reach_address: where the phases, outside of Docker, reach those ports.
        data_path: where the database image keeps its data.
        protect: whether a destroy of the volumes is refused.
        accepted_servers: the system identifiers of data that replace those of before.
    """

    stack: str
    database_image: str
    data_path: str
    bind_address: str
    reach_address: str
    ports: Mapping[Name, int]
    postgres: PostgresSettings
    protect: bool
    allow_local_image: bool
    accepted_servers: Mapping[Name, str | None]

    @property
    def prefix(self) -> str:
        """What the names of all containers, volumes and networks of the stack begin with."""
        return f"{PROJECT}-{self.stack}"

    def check_image(self, key: str, image: str) -> str:
        """An image's name, if it may be used.

        Raises:
            ConfigurationError: it is not pinned, and local images are not allowed.
        """
        if not (self.allow_local_image or is_pinned(image)):
            raise ConfigurationError(
                f"the stack's {key} {image!r} has no digest; write NAME@sha256:…, or "
                f"`pulumi config set {PROJECT}:allowLocalImage true` for a tag of this machine"
            )
        return image


def docker_settings(topology: Topology, config: StackConfig) -> DockerSettings:
    """Read the docker target's configuration.

    Raises:
        ConfigurationError: a value is wrong, two ports are the same, an image is not pinned, or
            ports would be open to everyone without that being allowed.
    """
    bind = _bind_address(config)
    settings = DockerSettings(
        stack=pulumi.get_stack(),
        database_image=config.text("databaseImage", DATABASE_IMAGE),
        data_path=_data_path(config),
        bind_address=bind,
        reach_address=config.text("reachAddress", LOOPBACK if bind in _EVERYWHERE else bind),
        ports=_ports(topology, config),
        postgres=postgres_settings(config),
        protect=config.flag("protect", True),
        allow_local_image=config.flag("allowLocalImage", False),
        accepted_servers={
            instance.name: config.optional_text(f"{instance.name}AcceptedServer")
            for instance in topology.instances
        },
    )
    settings.check_image("databaseImage", settings.database_image)
    return settings


def _data_path(config: StackConfig) -> str:
    found = config.text("databaseDataPath", "/var/lib/postgresql/data")
    if not PurePosixPath(found).is_absolute() or len(PurePosixPath(found).parts) < 2:
        raise ConfigurationError(
            f"the stack's databaseDataPath {found!r} is no folder of a container; use an absolute "
            f"path below /: `pulumi config set {PROJECT}:databaseDataPath PATH`"
        )
    return found


def _bind_address(config: StackConfig) -> str:
    address = config.text("bindAddress", LOOPBACK)
    if address in _EVERYWHERE and not config.flag("allowPublicPorts", False):
        raise ConfigurationError(
            f"the stack's bindAddress {address} opens the databases to everyone; use one address, "
            f"or `pulumi config set {PROJECT}:allowPublicPorts true`"
        )
    return address


def _ports(topology: Topology, config: StackConfig) -> Mapping[Name, int]:
    names = [instance.name for instance in topology.instances]
    ports = {name: config.port(f"{name}Port", _DATABASE_PORTS[name]) for name in names}
    if len(set(ports.values())) < len(ports):
        keys = ", ".join(f"{name}Port" for name in names)
        raise ConfigurationError(f"two of the stack's {keys} are the same; set another")
    return ports
