"""The backend's container, with the addresses of the active pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pulumi
import pulumi_docker as docker
from pulumi import Input, Output

from infra.backend_key import backend_key
from infra.components import Backend, BackendInputs
from infra.docker.containers import RESTART, DockerHost, container_options, environment
from infra.docker.databases import DockerDatabase
from infra.docker.images import backend_image
from infra.stack_config import PROJECT, StackConfig
from infra.topology import Topology, databases_of
from ops.books.active_pair import Pair
from ops.embedded.databases import Name
from ops.errors import ConfigurationError

PORT = 8000
STAGED = "backend-staged"
STAGED_PORT = 8001
READY_SECONDS = 240
_HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)"


def declare_backend(
    host: DockerHost,
    databases: Mapping[Name, DockerDatabase],
    topology: Topology,
    config: StackConfig,
) -> Backend:
    """Declare the backend on the active pair: its configuration, and unless the stack says
    `backendContainer: false`, the container that runs it; and the one that a swap stages.

    Raises:
        ConfigurationError: an image is not pinned, or a value is wrong.
    """
    staged = _staged(topology, config)
    held = config.flag("backendHeld", False)
    if not config.flag("backendContainer", True):
        return Backend(_inputs(databases, topology.active, config))
    image = backend_image(host.settings, config)
    declaration = _Declaration(host, databases, image, config)
    if staged is not None:
        port = config.port("stagedPort", STAGED_PORT)
        declaration.backend(staged, STAGED, port)
        pulumi.export("staged_url", _url(host, port))
    port = config.port("backendPort", PORT)
    pulumi.export("backend_url", _url(host, port))
    return declaration.backend(topology.active, "backend", None if held else port)


def _url(host: DockerHost, port: int) -> str:
    return f"http://{host.settings.reach_address}:{port}"


def _staged(topology: Topology, config: StackConfig) -> Pair | None:
    """The pair of the second backend, which only a swap under way has."""
    found: Pair | Literal["none"] = config.choice("staged", (*get_args(Pair), "none"), "none")
    if found == "old" and topology.legacy == "absent":
        raise ConfigurationError(
            "the stack says staged: old and legacy: absent; "
            f"`pulumi config set {PROJECT}:staged none`"
        )
    return None if found == "none" else found


@dataclass(frozen=True)
class _Declaration:
    """What the backends of the stack share."""

    host: DockerHost
    databases: Mapping[Name, DockerDatabase]
    image: Output[str]
    config: StackConfig

    def backend(self, pair: Pair, name: str, port: int | None) -> Backend:
        """A backend of a pair; held, its configuration alone.

        Args:
            port: where it is published; None while it is held.
        """
        used = databases_of(pair)
        needed = [self.databases[each].ready for each in (used.core, used.ai) if each is not None]

        def build(parent: Backend) -> None:
            if port is not None:
                _declare_container(self, parent, name, port, needed)

        return Backend(_inputs(self.databases, pair, self.config), build, name=name)


def _inputs(
    databases: Mapping[Name, DockerDatabase], pair: Pair, config: StackConfig
) -> BackendInputs:
    used = databases_of(pair)
    core, ai = databases[used.core], databases[used.ai] if used.ai else None
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
    ai_url = ai.internal_app_url if ai is not None else None
    return BackendInputs(pair, core.internal_app_url, ai_url, settings)


def _declare_container(
    shared: _Declaration, parent: Backend, name: str, port: int, needed: list[pulumi.Resource]
) -> None:
    host = shared.host
    docker.Container(
        name,
        name=host.container_name(name),
        image=shared.image,
        command=["sh", "-c", parent.start_command],
        envs=environment(parent.environment),
        ports=host.published(PORT, port),
        networks_advanced=host.joined(),
        labels=host.labels(name),
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
