"""The railway target: both databases and the backend as services of a Railway project."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions
from sqlalchemy.engine import URL

from infra.backend_key import backend_key
from infra.components import (
    Backend,
    BackendInputs,
    DeclaredStack,
    Place,
    PostgresInstance,
    inputs_at_gate,
)
from infra.docker.databases import warn_of_vector
from infra.docker.passwords import InstancePasswords, instance_passwords
from infra.docker.provisioning import Provisioning
from infra.external import component, given_database
from infra.postgres_settings import postgres_settings
from infra.railway.service import RailwayService
from infra.stack_config import StackConfig
from infra.stack_secrets import HOSTS_WITHOUT_TLS
from infra.topology import DatabaseInstance, Topology, stack_on_host
from ops.connection import conninfo
from ops.embedded.databases import Name
from ops.embedded.server import SUPERUSER
from ops.provision import APP, OWNER

# Railway's own, with TLS and pgvector; it wants its data below the mount path.
DATABASE_IMAGE = "ghcr.io/railwayapp-templates/postgres-ssl:17"
BACKEND_SERVICE = "railwayBackendService"
_DATA = "/var/lib/postgresql/data"
_PORT = 5432
_MIGRATE = "alembic -c alembic.ini upgrade head && alembic -c alembic_ai.ini upgrade head"
# The same as in railway.toml, which Railway does not read for a service that is new.
BACKEND_SETTINGS: Mapping[str, object] = {
    "preDeployCommand": [f"sh -c '{_MIGRATE}'"],
    "startCommand": "sh -c 'exec uvicorn app.main:app --host 0.0.0.0 --port $PORT'",
    "healthcheckPath": "/ready",
    "healthcheckTimeout": 120,
    "drainingSeconds": 30,
    "restartPolicyType": "ON_FAILURE",
    "restartPolicyMaxRetries": 3,
}


@dataclass(frozen=True)
class RailwayDatabase:
    """A declared database.

    Attributes:
        owner_url, app_url: its addresses within the project's private network; secret.
        ready: what whoever uses the database has to wait for.
    """

    component: PostgresInstance
    owner_url: Output[str]
    app_url: Output[str]
    ready: Resource


@dataclass(frozen=True)
class _Project:
    """Where the services are, and what all of them share.

    Attributes:
        project, environment: ids.
        backend_image: empty to leave the source that the service has.
    """

    config: StackConfig
    project: str
    environment: str
    backend_image: str

    def name(self, role: str) -> str:
        given = self.config.optional_text(BACKEND_SERVICE)
        if role == "backend" and given is not None:
            return given
        stack = stack_on_host(pulumi.get_stack(), self.config.optional_text("identity"))
        return f"{stack}-{role}"

    def service(
        self, role: str, opts: ResourceOptions, image: str, **inputs: object
    ) -> RailwayService:
        told = {
            "project": self.project,
            "environment": self.environment,
            "service": self.name(role),
            "image": image,
            "settings": {},
            "mount_path": "",
            "port": 0,
            "remove_data": self.config.flag("removeData", False),
        }
        return RailwayService(role, {**told, **inputs}, opts)

    def sslmode(self, host: str) -> str:
        given = (self.config.optional_text(HOSTS_WITHOUT_TLS) or "").split(",")
        return "prefer" if host in given else "require"

    def address(
        self,
        role: str,
        password: Output[str],
        database: str,
        place: tuple[Input[str], Input[int]],
        ready: Provisioning,
    ) -> Output[str]:
        def joined(found: list[str]) -> str:
            host, query = found[1], {"sslmode": self.sslmode(found[1])}
            driver, port = "postgresql+psycopg", int(found[2])
            return conninfo(URL.create(driver, role, found[0], host, port, database, query))

        # Known only when the role exists, so that whoever uses an address waits for it.
        return Output.secret(Output.all(password, *place, ready.id).apply(joined))


def declare_railway(topology: Topology, config: StackConfig) -> DeclaredStack:
    """Declare Core and AI with their volumes, and the backend; the old database is an address.

    Raises:
        ConfigurationError: the configuration cannot be used; nothing is declared then.
    """
    old = given_database("legacy", config) if topology.legacy == "present" else None
    project = _project(config)
    made: dict[Name, RailwayDatabase] = {}
    instances: dict[Name, PostgresInstance] = {}
    for instance in topology.instances:
        if old is not None and instance.name == "legacy":
            instances["legacy"] = component(instance, old)
        else:
            made[instance.name] = _declare_database(project, instance)
            instances[instance.name] = made[instance.name].component
    settings: dict[str, Input[str]] = {
        # The first `up` comes before the seed, and has to end with a backend that is ready.
        "SKIP_STARTUP_VALIDATION": "true",
        # The pre-deploy step migrates, which the backend's own role may not.
        "DATABASE_ADMIN_URL": made["core"].owner_url,
        "AI_DATABASE_ADMIN_URL": made["ai"].owner_url,
    }
    if (hosts := config.optional_text(HOSTS_WITHOUT_TLS)) is not None:
        settings["HOSTS_WITHOUT_TLS"] = hosts
    old_url = old.app_url if old is not None else None
    inputs = inputs_at_gate(made["core"].app_url, made["ai"].app_url, old_url, config, settings)
    return DeclaredStack(instances, _declare_backend(project, inputs, made))


def _project(config: StackConfig) -> _Project:
    """Everything that must be said, so that nothing is made of a stack that lacks something."""
    for name in ("core", "ai"):
        instance_passwords(name, config)
    backend_key(config)
    has_source = config.optional_text(BACKEND_SERVICE) is not None
    return _Project(
        config,
        config.text("railwayProject"),
        config.text("railwayEnvironment"),
        config.optional_text("backendImage") or ("" if has_source else config.text("backendImage")),
    )


def _declare_backend(
    project: _Project, inputs: BackendInputs, databases: Mapping[Name, RailwayDatabase]
) -> Backend:
    needed = [database.ready for database in databases.values()]

    def build(parent: Backend) -> None:
        opts = ResourceOptions(parent=parent, depends_on=needed)
        told = {"variables": parent.environment, "settings": BACKEND_SETTINGS}
        if project.config.optional_text(BACKEND_SERVICE) is not None:
            told["remove_data"] = False  # the stack did not make it
        project.service("backend", opts, project.backend_image, **told)

    return Backend(inputs, build)


def _declare_database(project: _Project, instance: DatabaseInstance) -> RailwayDatabase:
    config = project.config
    passwords = instance_passwords(instance.name, config)
    made: list[Provisioning] = []

    def build(parent: PostgresInstance) -> Place:
        service, ready = _served(project, instance, passwords, parent)
        made.append(ready)
        place, database = (service.host, service.proxy_port), instance.database
        return Place(
            host=service.host,
            port=service.proxy_port,
            owner_url=project.address(OWNER, passwords.owner, database, place, ready),
            app_url=project.address(APP, passwords.app, database, place, ready),
        )

    found, ready = PostgresInstance(instance, build), made[0]
    place = (f"{project.name(instance.name)}.railway.internal", _PORT)
    return RailwayDatabase(
        found,
        project.address(OWNER, passwords.owner, instance.database, place, ready),
        project.address(APP, passwords.app, instance.database, place, ready),
        ready,
    )


def _served(
    project: _Project,
    instance: DatabaseInstance,
    passwords: InstancePasswords,
    parent: PostgresInstance,
) -> tuple[RailwayService, Provisioning]:
    name, config = instance.name, project.config
    variables = {
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_PASSWORD": passwords.superuser,
        "PGDATA": f"{_DATA}/pgdata",  # a volume is no empty folder
        "RAILWAY_SHM_SIZE_BYTES": str(postgres_settings(config).shm_size * 1024 * 1024),
    }
    image = config.text("railwayDatabaseImage", DATABASE_IMAGE)
    opts = ResourceOptions(parent=parent, protect=config.flag("protect", True))
    told = {"variables": Output.all(**variables), "mount_path": _DATA, "port": _PORT}
    service = project.service(name, opts, image, **told)
    ready = Provisioning(
        instance,
        service.host,
        service.proxy_port,
        passwords,
        service.deployment,
        config.optional_text(f"{name}AcceptedServer"),
        ResourceOptions(parent=parent, depends_on=[service]),
        sslmode=service.host.apply(project.sslmode),
    )
    ready.vector_version.apply(lambda version: warn_of_vector(name, version, ready))
    return service, ready
