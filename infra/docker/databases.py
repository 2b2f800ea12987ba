"""A database of the stack: a volume with its data, a container that serves it, its roles."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pulumi import Input, Output, ResourceOptions
from sqlalchemy.engine import URL

from infra.components import Place, PostgresInstance
from infra.docker.containers import RESTART, DockerHost, container_options
from infra.docker.passwords import InstancePasswords, instance_passwords
from infra.docker.provisioning import Provisioning, vector_warning
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
class DockerDatabase:
    """A declared database.

    Attributes:
        internal_owner_url: the owner's address within the network; secret.
        internal_app_url: the backend's; secret.
        ready: what whoever uses the database has to wait for.
    """

    component: PostgresInstance
    internal_owner_url: Output[str]
    internal_app_url: Output[str]
    ready: pulumi.Resource


@dataclass(frozen=True)
class _Declaration:
    """One database while it is declared."""

    host: DockerHost
    instance: DatabaseInstance
    passwords: InstancePasswords

    @property
    def published_port(self) -> int:
        return self.host.settings.ports[self.instance.name]

    @property
    def container_name(self) -> str:
        return self.host.container_name(self.instance.name)

    def volume(self, parent: PostgresInstance) -> docker.Volume:
        return self.host.volume(self.instance.name, parent)

    def container(
        self,
        image: Input[str],
        volume: docker.Volume,
        parent: PostgresInstance,
        earlier: list[pulumi.Resource],
    ) -> docker.Container:
        settings = self.host.settings
        return docker.Container(
            self.instance.name,
            name=self.container_name,
            image=image,
            command=["postgres", *settings.postgres.arguments()],
            envs=[f"POSTGRES_PASSWORD_FILE={PASSWORD_FILE}"],
            uploads=[
                docker.ContainerUploadArgs(
                    file=PASSWORD_FILE, content=self.passwords.superuser, permissions="0400"
                )
            ],
            volumes=[
                docker.ContainerVolumeArgs(
                    volume_name=volume.name, container_path=settings.data_path
                )
            ],
            ports=self.host.published(PORT, self.published_port),
            networks_advanced=self.host.joined(),
            labels=[
                *self.host.labels("database"),
                docker.ContainerLabelArgs(label=f"{PROJECT}.database", value=self.instance.name),
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
            opts=container_options(parent, *earlier),
        )

    def provisioning(self, container: docker.Container, parent: PostgresInstance) -> Provisioning:
        settings, name = self.host.settings, self.instance.name
        found = Provisioning(
            self.instance,
            settings.reach_address,
            settings.ports[name],
            self.passwords,
            container.id,
            settings.accepted_servers.get(name),
            ResourceOptions(parent=parent, depends_on=[container]),
        )
        found.vector_version.apply(lambda version: warn_of_vector(name, version, found))
        return found

    def url(
        self, role: str, password: Output[str], ready: Provisioning, *, internal: bool
    ) -> Output[str]:
        host = self.container_name if internal else self.host.settings.reach_address
        port = PORT if internal else self.published_port

        def address(found: list[str]) -> str:
            driver, database = "postgresql+psycopg", self.instance.database
            return conninfo(URL.create(driver, role, found[0], host, port, database))

        # Known only when the role exists, so that whoever uses an address waits for it.
        return Output.secret(Output.all(password, ready.id).apply(address))


def declare_database(
    host: DockerHost,
    instance: DatabaseInstance,
    image: Input[str],
    config: StackConfig,
    earlier: list[pulumi.Resource],
) -> DockerDatabase:
    """Declare a database with its volume, container and roles.

    Args:
        earlier: what has to be there before its container is touched.

    Raises:
        ConfigurationError: one of its passwords is missing.
    """
    declaration = _Declaration(host, instance, instance_passwords(instance.name, config))
    made: list[Provisioning] = []

    def build(parent: PostgresInstance) -> Place:
        container = declaration.container(image, declaration.volume(parent), parent, earlier)
        made.append(declaration.provisioning(container, parent))
        passwords, ready = declaration.passwords, made[0]
        return Place(
            host=host.settings.reach_address,
            port=declaration.published_port,
            owner_url=declaration.url(OWNER, passwords.owner, ready, internal=False),
            app_url=declaration.url(APP, passwords.app, ready, internal=False),
        )

    component = PostgresInstance(instance, build)
    passwords, ready = declaration.passwords, made[0]
    return DockerDatabase(
        component,
        declaration.url(OWNER, passwords.owner, ready, internal=True),
        declaration.url(APP, passwords.app, ready, internal=True),
        ready,
    )


def declare_databases(
    host: DockerHost,
    instances: tuple[DatabaseInstance, ...],
    image: Input[str],
    config: StackConfig,
) -> Mapping[Name, DockerDatabase]:
    """Declare every database of the stack, all on one image. One is replaced after the other, so
    that a change that does not work for the first leaves the rest as they are."""
    found: dict[Name, DockerDatabase] = {}
    for instance in instances:
        earlier = [database.ready for database in found.values()]
        found[instance.name] = declare_database(host, instance, image, config, earlier)
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
