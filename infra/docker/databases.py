"""A database of the stack: a volume with its data, a container that serves it, its roles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pulumi import Input, ResourceOptions

from infra.docker.containers import RESTART, DockerHost
from infra.docker.passwords import InstancePasswords, instance_passwords
from infra.docker.provisioning import ProvisioningArgs
from infra.provisioned import ProvisionedPostgres
from infra.stack_config import PROJECT, StackConfig
from ops.embedded.databases import Name
from ops.embedded.server import SUPERUSER

PORT = 5432
PASSWORD_FILE = "/run/secrets/superuser_password"
READY_SECONDS = 180
# Over TCP: while an image initialises its volume the server answers on its socket only. Without a
# password: on a volume with data a new one holds only after the server is healthy.
_HEALTH = f"pg_isready -q -h 127.0.0.1 -p {PORT} -U {SUPERUSER} -d postgres"


@dataclass(frozen=True)
class DockerPostgresArgs:
    """What a database in a container is told.

    Attributes:
        host: where the stack's containers live.
        image: of PostgreSQL with pgvector, by its id.
        earlier: what has to be there before its container is touched.
    """

    host: DockerHost
    image: Input[str]
    passwords: InstancePasswords
    earlier: Sequence[pulumi.Resource] = ()


class DockerPostgres(ProvisionedPostgres):
    """A database in a container of its own, on a named volume."""

    def __init__(
        self, name: Name, args: DockerPostgresArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its volume, container and roles."""
        super().__init__(name, opts)
        self._told, settings = args, args.host.settings
        volume = args.host.volume(name, self)
        container = self._container(name, volume)
        roles = ProvisioningArgs(
            name,
            settings.reach_address,
            settings.ports[name],
            args.passwords,
            container.id,
            settings.accepted_servers.get(name),
        )
        kept = {"volume": volume.name, "container": container.name}
        self.provision(roles, container, args.host.container_name(name), **kept)

    def _container(self, name: Name, volume: docker.Volume) -> docker.Container:
        args, settings = self._told, self._told.host.settings
        return docker.Container(
            name,
            name=args.host.container_name(name),
            image=args.image,
            command=["postgres", *settings.postgres.arguments()],
            envs=[f"POSTGRES_PASSWORD_FILE={PASSWORD_FILE}"],
            uploads=[
                docker.ContainerUploadArgs(
                    file=PASSWORD_FILE, content=args.passwords.superuser, permissions="0400"
                )
            ],
            volumes=[
                docker.ContainerVolumeArgs(
                    volume_name=volume.name, container_path=settings.data_path
                )
            ],
            ports=args.host.published(PORT, settings.ports[name]),
            networks_advanced=args.host.joined(),
            labels=[
                *args.host.labels("database"),
                docker.ContainerLabelArgs(label=f"{PROJECT}.database", value=name),
            ],
            healthcheck=_health_check(),
            wait=True,
            wait_timeout=READY_SECONDS,
            restart=RESTART,
            shm_size=settings.postgres.shm_size,
            # Cuts sessions off and writes a checkpoint, for which it gets a minute.
            stop_signal="SIGINT",
            destroy_grace_seconds=60,
            # Data that an image keeps at another place than configured is not thrown away.
            remove_volumes=False,
            opts=args.host.container_options(self, *args.earlier),
        )


def declare_databases(
    host: DockerHost,
    names: Sequence[Name],
    image: Input[str],
    config: StackConfig,
) -> Mapping[Name, DockerPostgres]:
    """Declare every database of the stack, all on one image. One is replaced after the other, so
    that a change that does not work for the first leaves the rest as they are.

    Raises:
        ConfigurationError: a password is missing.
    """
    found: dict[Name, DockerPostgres] = {}
    for name in names:
        passwords = instance_passwords(name, config)
        earlier = [database.ready for database in found.values()]
        found[name] = DockerPostgres(name, DockerPostgresArgs(host, image, passwords, earlier))
    return found


def _health_check() -> docker.ContainerHealthcheckArgs:
    # Durations as Docker writes them, or each refresh would see a change.
    return docker.ContainerHealthcheckArgs(
        tests=["CMD-SHELL", _HEALTH],
        interval="3s",
        timeout="5s",
        start_period="1m0s",
        retries=10,
    )
