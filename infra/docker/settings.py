"""The docker target's configuration, read once and checked before anything is declared."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath

import psutil
import pulumi

from infra.docker_daemon import daemon_address
from infra.policies.rules import is_pinned
from infra.postgres_settings import PostgresSettings, postgres_settings
from infra.stack_config import PROJECT, StackConfig
from infra.topology import Topology, stack_on_host
from ops.embedded.databases import Name
from ops.embedded.server import LOOPBACK
from ops.errors import ConfigurationError

# PostgreSQL 17.11 with pgvector 0.8.6, for amd64 and arm64.
DATABASE_IMAGE = (
    "pgvector/pgvector:0.8.6-pg17"
    "@sha256:cf134a767f474095eeba57e0117be8e568e011a63f33fbf252f14c9b760f8e6f"
)
# By what they are published of, which names the key of each.
_PORTS = {"legacy": 5440, "core": 5441, "ai": 5442, "backend": 8000, "prefect": 4200}
_HOST_NAME = re.compile(r"(?=.*[a-zA-Z])[\w-]+(\.[\w-]+)*\.?", re.ASCII)
_IDENTITY = re.compile(r"[a-z0-9]{1,16}")


@dataclass(frozen=True)
class DockerSettings:
    """What the docker target is told.

    Attributes:
        stack: the stack's name, with its identity if it has one; each container, volume and network
            carries it.
        bind_address: on which address of the Docker host ports are published.
        reach_address: where the phases, outside of Docker, reach those ports.
        ports: by what is published there, databases, `backend` and `prefect`.
        data_path: where the database image keeps its data.
        protect: whether a destroy of the volumes is refused.
        accepted_servers: the system identifiers of data that replace those of before.
    """

    stack: str
    database_image: str
    data_path: str
    bind_address: str
    reach_address: str
    ports: Mapping[str, int]
    postgres: PostgresSettings
    protect: bool
    allow_local_image: bool
    accepted_servers: Mapping[Name, str | None]

    @property
    def prefix(self) -> str:
        """What the names of all containers, volumes and networks of the stack begin with."""
        return f"{PROJECT}-{self.stack}"

    def volume(self, role: str) -> str:
        """The name of a volume."""
        return f"{self.prefix}-{role}-data"

    def http_url(self, service: str) -> str:
        """Where this machine reaches what is published on the port of a service."""
        host = f"[{self.reach_address}]" if ":" in self.reach_address else self.reach_address
        return f"http://{host}:{self.ports[service]}"

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
        ConfigurationError: a value is wrong, two ports are the same, an image is not pinned, the
            servers are tuned beyond this machine, or ports would be open to everyone without that
            being allowed.
    """
    bind = _bind_address(config)
    postgres = postgres_settings(config)
    if (memory := _memory()) is not None:
        postgres.refuse_beyond(memory, len(topology.databases))
    settings = DockerSettings(
        stack=stack_on_host(pulumi.get_stack(), _identity(config)),
        database_image=config.text("databaseImage", DATABASE_IMAGE),
        data_path=_data_path(config),
        bind_address=bind,
        reach_address=_reach_address(config, bind),
        ports=_ports(topology, config),
        postgres=postgres,
        protect=config.flag("protect", True),
        allow_local_image=config.flag("allowLocalImage", False),
        accepted_servers={
            name: config.optional_text(f"{name}AcceptedServer") for name in topology.databases
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


def _identity(config: StackConfig) -> str | None:
    found = config.optional_text("identity")
    if found and not _IDENTITY.fullmatch(found):
        raise ConfigurationError(
            f"the stack's identity {found!r} cannot be part of names; use up to 16 lower-case "
            f"letters and digits: `pulumi config set {PROJECT}:identity VALUE`"
        )
    return found


def _memory() -> int | None:
    """Megabytes that the Docker host has, if that is this machine."""
    context, host = daemon_address(pulumi.Config("docker").get)
    is_here = context is None and host.startswith("unix:")
    return psutil.virtual_memory().total // 2**20 if is_here else None


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _reach_address(config: StackConfig, bind: str) -> str:
    everywhere = ip_address(bind).is_unspecified
    found = config.text("reachAddress", LOOPBACK if everywhere else bind)
    if not (_is_address(found) or _HOST_NAME.fullmatch(found)):
        raise ConfigurationError(
            f"the stack's reachAddress {found!r} is no host; use a name or an IP address, without "
            f"a port: `pulumi config set {PROJECT}:reachAddress VALUE`"
        )
    return found


def _bind_address(config: StackConfig) -> str:
    address = config.text("bindAddress", LOOPBACK)
    if not _is_address(address):
        raise ConfigurationError(
            f"the stack's bindAddress {address!r} is no address; use an IP address of the Docker "
            f"host: `pulumi config set {PROJECT}:bindAddress VALUE`"
        )
    if ip_address(address).is_unspecified and not config.flag("allowPublicPorts", False):
        raise ConfigurationError(
            f"the stack's bindAddress {address} opens the databases to everyone; use one address, "
            f"or `pulumi config set {PROJECT}:allowPublicPorts true`"
        )
    return address


def _ports(topology: Topology, config: StackConfig) -> Mapping[str, int]:
    services: list[str] = [*topology.databases]
    services += ["backend"] if config.flag("backendContainer", True) else []
    services += ["prefect"] if config.flag("prefect", False) else []
    ports = {service: config.port(f"{service}Port", _PORTS[service]) for service in services}
    for port in ports.values():
        same = [f"{service}Port" for service in services if ports[service] == port]
        if len(same) > 1:
            names = " and ".join(same)
            raise ConfigurationError(f"the stack's {names} are the same, {port}; set another")
    return ports
