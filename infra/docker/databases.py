"""A database of the stack: a volume with its data, a container that serves it, its roles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pulumi import Input, Output, ResourceOptions
from sqlalchemy.engine import URL

from infra.components import Place, PostgresInstance
from infra.docker.containers import RESTART, DockerHost
from infra.docker.passwords import InstancePasswords, instance_passwords
from infra.docker.provisioning import Provisioning, ProvisioningArgs, vector_warning
from infra.stack_config import PROJECT, StackConfig
from infra.topology import DatabaseInstance
from ops.connection import conninfo
from ops.embedded.databases import Name
from ops.embedded.server import SUPERUSER
from ops.provision import APP, OWNER

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

    instance: DatabaseInstance
    host: DockerHost
    image: Input[str]
    passwords: InstancePasswords
    earlier: Sequence[pulumi.Resource] = ()


class DockerPostgres(PostgresInstance):
    """A database in a container of its own, on a named volume.

    Attributes:
        ready: what whoever uses the database has to wait for.
        internal_owner_url: the owner's address within the network; secret.
        internal_app_url: the backend's; secret.
    """

    def __init__(
        self, name: Name, args: DockerPostgresArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its volume, container and roles."""
        super().__init__(name, args.instance, opts)
        self._args, host, passwords = args, args.host, args.passwords
        volume = host.volume(name, self)
        container = self._container(name, volume)
        self.ready = self._provisioning(name, container)
        published = (host.settings.reach_address, host.settings.ports[name])
        within = (host.container_name(name), PORT)
        self.internal_owner_url = self._url(OWNER, passwords.owner, *within)
        self.internal_app_url = self._url(APP, passwords.app, *within)
        self.answers_at(
            Place(
                *published,
                owner_url=self._url(OWNER, passwords.owner, *published),
                app_url=self._url(APP, passwords.app, *published),
                volume=volume.name,
                container=container.name,
            )
        )

    def _container(self, name: Name, volume: docker.Volume) -> docker.Container:
        args, settings = self._args, self._args.host.settings
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

    def _provisioning(self, name: Name, container: docker.Container) -> Provisioning:
        settings = self._args.host.settings
        args = ProvisioningArgs(
            self._args.instance,
            settings.reach_address,
            settings.ports[name],
            self._args.passwords,
            container.id,
            settings.accepted_servers.get(name),
        )
        options = ResourceOptions(parent=self, depends_on=[container])
        found = Provisioning(f"{name}-provisioning", args, options)
        found.vector_version.apply(lambda version: warn_of_vector(name, version, found))
        return found

    def _url(self, role: str, password: Output[str], host: str, port: int) -> Output[str]:
        def address(found: list[str]) -> str:
            driver, database = "postgresql+psycopg", self._args.instance.database
            return conninfo(URL.create(driver, role, found[0], host, port, database))

        # Known only when the role exists, so that whoever uses an address waits for it.
        return Output.secret(Output.all(password, self.ready.id).apply(address))


def declare_databases(
    host: DockerHost,
    instances: tuple[DatabaseInstance, ...],
    image: Input[str],
    config: StackConfig,
) -> Mapping[Name, DockerPostgres]:
    """Declare every database of the stack, all on one image. One is replaced after the other, so
    that a change that does not work for the first leaves the rest as they are.

    Raises:
        ConfigurationError: a password is missing.
    """
    found: dict[Name, DockerPostgres] = {}
    for instance in instances:
        passwords = instance_passwords(instance.name, config)
        earlier = [database.ready for database in found.values()]
        args = DockerPostgresArgs(instance, host, image, passwords, earlier)
        found[instance.name] = DockerPostgres(instance.name, args)
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


def warn_of_vector(name: str, version: str | None, resource: Provisioning) -> None:
    """Say what is to be said of the vector extension, if anything."""
    line = vector_warning(name, version)
    if line is not None:
        pulumi.log.warn(line, resource)
