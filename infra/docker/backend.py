"""The backend's container, with the addresses of both pairs: a swap replaces nothing."""

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker
from pulumi import Input, Output

from infra.components import Backend, BackendInputs, inputs_at_gate
from infra.docker.containers import RESTART, DockerHost, container_options, environment
from infra.docker.databases import DockerDatabase
from infra.docker.images import backend_image
from infra.stack_config import StackConfig
from ops.embedded.databases import Name

PORT = 8000
READY_SECONDS = 240
_NAME = "backend"
_HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)"


def declare_backend(
    host: DockerHost, databases: Mapping[Name, DockerDatabase], config: StackConfig
) -> Backend:
    """Declare the backend: its configuration, and unless the stack says `backendContainer: false`,
    the container that runs it.

    Raises:
        ConfigurationError: an image is not pinned, or a value is wrong.
    """
    inputs = _inputs(host, databases, config)
    if not config.flag("backendContainer", True):
        return Backend(inputs)
    image = backend_image(host.settings, config)
    port = host.settings.ports[_NAME]
    needed = [database.ready for database in databases.values()]
    url = host.settings.http_url(_NAME)
    return Backend(
        inputs, lambda parent: _declare_container(host, image, parent, port, needed), url=url
    )


def _inputs(
    host: DockerHost, databases: Mapping[Name, DockerDatabase], config: StackConfig
) -> BackendInputs:
    core, ai, legacy = databases["core"], databases["ai"], databases.get("legacy")
    settings: dict[str, Input[str]] = {
        # Within the container's own network; what is published of it is the port's affair.
        "HOST": "0.0.0.0",
        "PORT": str(PORT),
        # The first `up` comes before the seed, and has to end with a backend that is healthy.
        "SKIP_STARTUP_VALIDATION": "true",
        "HOSTS_WITHOUT_TLS": host.hosts_without_tls(),
        # The start command migrates, which the backend's own role may not.
        "DATABASE_ADMIN_URL": core.internal_owner_url,
        "AI_DATABASE_ADMIN_URL": ai.internal_owner_url,
    }
    old_url = legacy.internal_app_url if legacy is not None else None
    return inputs_at_gate(core.internal_app_url, ai.internal_app_url, old_url, config, settings)


def _declare_container(
    host: DockerHost,
    image: Output[str],
    parent: Backend,
    port: int,
    needed: list[pulumi.Resource],
) -> None:
    docker.Container(
        _NAME,
        name=host.container_name(_NAME),
        image=image,
        command=["sh", "-c", parent.start_command],
        envs=environment(parent.environment),
        ports=host.published(PORT, port),
        networks_advanced=host.joined(),
        labels=host.labels(_NAME),
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
        opts=container_options(parent, *needed),
    )
