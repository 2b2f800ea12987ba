"""The railway target: both databases and the backend as services of a Railway project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions

from app.chain_folders import SCRIPT_LOCATIONS
from infra.components import (
    MIGRATE_COMMAND,
    Backend,
    BackendArgs,
    DeclaredStack,
    PostgresInstance,
    backend_at_gate,
    backend_key,
)
from infra.docker.passwords import InstancePasswords, instance_passwords
from infra.docker.provisioning import ProvisioningArgs
from infra.external import GivenPostgres, given_database, hosts_without_tls
from infra.postgres_settings import postgres_settings
from infra.provisioned import ProvisionedPostgres
from infra.railway.service import RailwayService
from infra.stack_config import StackConfig
from infra.stack_secrets import HOSTS_WITHOUT_TLS
from infra.topology import Topology, stack_on_host
from ops.embedded.databases import Name
from ops.embedded.server import SUPERUSER

# Railway's own, with TLS and pgvector; it wants its data below the mount path.
DATABASE_IMAGE = "ghcr.io/railwayapp-templates/postgres-ssl:17"
BACKEND_SERVICE = "railwayBackendService"
_DATA = "/var/lib/postgresql/data"
_PORT = 5432
# The same as in railway.toml, which Railway does not read for a service that is new.
BACKEND_SETTINGS: Mapping[str, object] = {
    "preDeployCommand": [f"sh -c '{MIGRATE_COMMAND}'"],
    "startCommand": "sh -c 'exec uvicorn app.main:app --host 0.0.0.0 --port $PORT'",
    "healthcheckPath": "/ready",
    "healthcheckTimeout": 120,
    "drainingSeconds": 30,
    "restartPolicyType": "ON_FAILURE",
    "restartPolicyMaxRetries": 3,
}


@dataclass(frozen=True)
class RailwayProject:
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
        return "prefer" if host in hosts_without_tls(self.config) else "require"


class RailwayPostgres(ProvisionedPostgres):
    """A database as a service with a volume."""

    def __init__(
        self, name: Name, args: RailwayProject, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its volume, proxy and roles."""
        super().__init__(name, opts)
        passwords = instance_passwords(name, args.config)
        service = self._service(name, args, passwords)
        roles = ProvisioningArgs(
            name,
            service.host,
            service.proxy_port,
            passwords,
            service.deployment,
            args.config.optional_text(f"{name}AcceptedServer"),
            args.sslmode,
        )
        self.provision(roles, service, f"{args.name(name)}.railway.internal")

    def _service(
        self, name: Name, project: RailwayProject, passwords: InstancePasswords
    ) -> RailwayService:
        config = project.config
        variables = {
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_PASSWORD": passwords.superuser,
            "PGDATA": f"{_DATA}/pgdata",  # a volume is no empty folder
            "RAILWAY_SHM_SIZE_BYTES": str(postgres_settings(config).shm_size * 1024 * 1024),
        }
        image = config.text("railwayDatabaseImage", DATABASE_IMAGE)
        options = ResourceOptions(parent=self, protect=config.flag("protect", True))
        told = {"variables": Output.all(**variables), "mount_path": _DATA, "port": _PORT}
        return project.service(name, options, image, **told)


@dataclass(frozen=True)
class RailwayBackendArgs:
    """What a backend on Railway is told.

    Attributes:
        needed: what has to be there before it is deployed.
    """

    backend: BackendArgs
    project: RailwayProject
    needed: Sequence[Resource]


class RailwayBackend(Backend):
    """A backend as a service."""

    def __init__(
        self, name: str, args: RailwayBackendArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its service."""
        super().__init__(name, args.backend, opts)
        told = {"variables": self.environment, "settings": BACKEND_SETTINGS}
        if args.project.config.optional_text(BACKEND_SERVICE) is not None:
            told["remove_data"] = False  # the stack did not make it
        options = ResourceOptions(parent=self, depends_on=[*args.needed])
        args.project.service(name, options, args.project.backend_image, **told)


def declare_railway(topology: Topology, config: StackConfig) -> DeclaredStack:
    """Declare Core and AI with their volumes, and the backend; the old database is an address.

    Raises:
        ConfigurationError: the configuration cannot be used; nothing is declared then.
    """
    old = given_database("legacy", config) if "legacy" in topology.databases else None
    project = _project(config)
    core, ai = (RailwayPostgres(name, project) for name in SCRIPT_LOCATIONS)
    instances: dict[Name, PostgresInstance] = {"core": core, "ai": ai}
    if old is not None:
        instances["legacy"] = GivenPostgres("legacy", old)
    settings: dict[str, Input[str]] = {
        # The first `up` comes before the seed, and has to end with a backend that is ready.
        "SKIP_STARTUP_VALIDATION": "true",
        # The pre-deploy step migrates, which the backend's own role may not.
        "DATABASE_ADMIN_URL": core.internal_owner_url,
        "AI_DATABASE_ADMIN_URL": ai.internal_owner_url,
    }
    if (hosts := config.optional_text(HOSTS_WITHOUT_TLS)) is not None:
        settings["HOSTS_WITHOUT_TLS"] = hosts
    old_url = old.app_url if old is not None else None
    new_urls = (core.internal_app_url, ai.internal_app_url)
    told = backend_at_gate(*new_urls, old_url, config, settings)
    args = RailwayBackendArgs(told, project, [core.ready, ai.ready])
    return DeclaredStack(instances, RailwayBackend("backend", args))


def _project(config: StackConfig) -> RailwayProject:
    """Everything that must be said, so that nothing is made of a stack that lacks something."""
    for name in ("core", "ai"):
        instance_passwords(name, config)
    backend_key(config)
    has_source = config.optional_text(BACKEND_SERVICE) is not None
    return RailwayProject(
        config,
        config.text("railwayProject"),
        config.text("railwayEnvironment"),
        config.optional_text("backendImage") or ("" if has_source else config.text("backendImage")),
    )
