"""The backend's container, with the addresses of both pairs: a swap replaces nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pulumi import Input, ResourceOptions

from app.chain_folders import SCRIPT_LOCATIONS, ChainName
from infra.components import Backend, BackendArgs, backend_at_gate
from infra.docker.containers import RESTART, DockerHost, environment
from infra.docker.databases import DockerPostgres
from infra.docker.images import backend_image
from infra.docker.migration import Migration, MigrationArgs
from infra.stack_config import StackConfig
from ops.embedded.databases import Name

PORT = 8000
READY_SECONDS = 240
_NAME = "backend"
_HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)"


@dataclass(frozen=True)
class DockerBackendArgs:
    """What a backend in a container is told.

    Attributes:
        host: where the stack's containers live.
        image: of the backend, by its id.
        needed: what has to be there before it starts.
    """

    backend: BackendArgs
    host: DockerHost
    image: Input[str]
    needed: Sequence[pulumi.Resource]


class DockerBackend(Backend):
    """A backend in a container."""

    def __init__(
        self, name: str, args: DockerBackendArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its container."""
        super().__init__(name, args.backend, opts)
        docker.Container(
            name,
            name=args.host.container_name(name),
            image=args.image,
            command=["sh", "-c", self.start_command],
            envs=environment(self.environment),
            ports=args.host.published(PORT, args.host.settings.ports[name]),
            networks_advanced=args.host.joined(),
            labels=args.host.labels(name),
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", "python", "-c", _HEALTH],
                interval="5s",
                timeout="5s",
                start_period="1m0s",
                retries=10,
            ),
            wait=True,
            wait_timeout=READY_SECONDS,
            restart=RESTART,
            # Requests under way are finished; the server itself gives streams ten seconds.
            destroy_grace_seconds=30,
            opts=args.host.container_options(self, *args.needed),
        )


def declare_backend(
    host: DockerHost, databases: Mapping[Name, DockerPostgres], config: StackConfig
) -> Backend:
    """Declare the backend: its configuration, and unless the stack says `backendContainer: false`,
    the container that runs it.

    Raises:
        ConfigurationError: an image is not pinned, or a value is wrong.
    """
    if not config.flag("backendContainer", True):
        return Backend(_NAME, _args(host, databases, config))
    told = _args(host, databases, config, url=host.settings.http_url(_NAME))
    image = backend_image(host, config)
    needed: list[pulumi.Resource] = [database.ready for database in databases.values()]
    needed += [_migration(chain, databases[chain]) for chain in SCRIPT_LOCATIONS]
    return DockerBackend(_NAME, DockerBackendArgs(told, host, image, needed))


def _migration(chain: ChainName, database: DockerPostgres) -> pulumi.Resource:
    args = MigrationArgs(chain, database.owner_url, database.ready.system_identifier)
    options = ResourceOptions(parent=database, depends_on=[database.ready])
    return Migration(f"{chain}-migration", args, options)


def _args(
    host: DockerHost,
    databases: Mapping[Name, DockerPostgres],
    config: StackConfig,
    url: str | None = None,
) -> BackendArgs:
    core, ai, legacy = databases["core"], databases["ai"], databases.get("legacy")
    settings: dict[str, Input[str]] = {
        # Within the container's own network; what is published of it is the port's affair.
        "HOST": "0.0.0.0",
        "PORT": str(PORT),
        # The first `up` comes before the seed, and has to end with a backend that is healthy.
        "SKIP_STARTUP_VALIDATION": "true",
        "HOSTS_WITHOUT_TLS": host.hosts_without_tls(),
    }
    if url is None:
        # A backend that runs elsewhere migrates at its start, which its own role may not.
        settings["DATABASE_ADMIN_URL"] = core.internal_owner_url
        settings["AI_DATABASE_ADMIN_URL"] = ai.internal_owner_url
    old_url = legacy.internal_app_url if legacy is not None else None
    new_urls = (core.internal_app_url, ai.internal_app_url)
    return backend_at_gate(*new_urls, old_url, config, settings, url)
