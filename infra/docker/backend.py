"""The backend's container, with the addresses of the active pair."""

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker
from pulumi import Input

from infra.backend_key import backend_key
from infra.components import Backend, BackendInputs
from infra.docker.containers import RESTART, DockerHost, container_options, environment
from infra.docker.databases import DockerDatabase
from infra.docker.images import backend_image
from infra.stack_config import StackConfig
from infra.topology import ActivePair
from ops.embedded.databases import Name

PORT = 8000
READY_SECONDS = 240
_HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)"


def declare_backend(
    host: DockerHost,
    databases: Mapping[Name, DockerDatabase],
    pair: ActivePair,
    config: StackConfig,
) -> Backend:
    """Declare the backend on the active pair: its configuration, and unless the stack says
    `backendContainer: false`, the container that runs it.

    Raises:
        ConfigurationError: an image is not pinned, or a value is wrong.
    """
    used = [databases[name] for name in (pair.core, pair.ai) if name is not None]

    def build(parent: Backend) -> None:
        if config.flag("backendContainer", True):
            _declare_container(host, parent, [database.ready for database in used], config)

    return Backend(_inputs(databases, pair, config), build)


def _inputs(
    databases: Mapping[Name, DockerDatabase], pair: ActivePair, config: StackConfig
) -> BackendInputs:
    core, ai = databases[pair.core], databases[pair.ai] if pair.ai else None
    settings: dict[str, Input[str]] = {
        "ENVIRONMENT": "production",
        # Within the container's own network; what is published of it is the port's affair.
        "HOST": "0.0.0.0",
        "PORT": str(PORT),
        "SECRET_KEY": backend_key(config),
        # The first `up` comes before the seed, and has to end with a backend that is healthy.
        "SKIP_STARTUP_VALIDATION": "true",
        # The start command migrates, which the backend's own role may not.
        "DATABASE_ADMIN_URL": core.internal_owner_url,
    }
    if ai is not None:
        settings["AI_DATABASE_ADMIN_URL"] = ai.internal_owner_url
    return BackendInputs(
        core.internal_app_url, ai.internal_app_url if ai is not None else None, settings
    )


def _declare_container(
    host: DockerHost, parent: Backend, needed: list[pulumi.Resource], config: StackConfig
) -> None:
    docker.Container(
        "backend",
        name=host.container_name("backend"),
        image=backend_image(host.settings, config),
        command=["sh", "-c", parent.start_command],
        envs=environment(parent.environment),
        ports=host.published(PORT, config.integer("backendPort", PORT, least=1)),
        networks_advanced=host.joined(),
        labels=host.labels("backend"),
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
        destroy_grace_seconds=30,
        opts=container_options(parent, *needed),
    )
