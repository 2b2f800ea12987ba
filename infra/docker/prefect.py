"""Prefect's server and worker as containers, where the stack says `prefect: true`."""

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker
from pulumi import ComponentResource, Input, Output

from infra.docker.containers import RESTART, DockerHost, container_options, environment
from infra.docker.databases import DockerDatabase
from infra.docker.images import pulled_image
from infra.stack_config import StackConfig
from ops.embedded.databases import Name

PORT = 4200
_WORKER_HEALTH_PORT = 8080
_HOME = "/var/lib/prefect"
_ADMIN_URLS: Mapping[Name, str] = {
    "core": "DATABASE",
    "ai": "AI_DATABASE",
    "legacy": "LEGACY_DATABASE",
}


class Prefect(ComponentResource):
    """A server that records runs, and a worker that runs the flows.

    Attributes:
        api_url: where this machine reaches the server.
    """

    api_url: Output[str]

    def __init__(
        self, host: DockerHost, databases: Mapping[Name, DockerDatabase], config: StackConfig
    ) -> None:
        """Declare both.

        Raises:
            ConfigurationError: an image is missing or not pinned.
        """
        super().__init__("sigmasight:infra:Prefect", "prefect")
        settings = host.settings
        image = settings.check_image("prefectImage", config.text("prefectImage"))
        worker = settings.check_image("workerImage", config.text("workerImage", image))
        server = self._server(host, pulled_image("prefect-image", image))
        pool = config.text("workPool", "sigmasight")
        worker_id = pulled_image("worker-image", worker)
        self._worker(host, worker_id, pool, databases, server)
        self.api_url = Output.from_input(f"{settings.http_url('prefect')}/api")
        self.register_outputs({"api_url": self.api_url})

    def _server(self, host: DockerHost, image: Output[str]) -> docker.Container:
        volume = host.volume("prefect", self)
        return docker.Container(
            "prefect-server",
            name=host.container_name("prefect"),
            image=image,
            command=["prefect", "server", "start", "--host", "0.0.0.0", "--port", str(PORT)],
            envs=[f"PREFECT_HOME={_HOME}", "PREFECT_SERVER_ANALYTICS_ENABLED=false"],
            volumes=[docker.ContainerVolumeArgs(volume_name=volume.name, container_path=_HOME)],
            ports=host.published(PORT, host.settings.ports["prefect"]),
            networks_advanced=host.joined(),
            labels=host.labels("prefect"),
            healthcheck=_answers(f"http://127.0.0.1:{PORT}/api/health"),
            wait=True,
            wait_timeout=240,
            restart=RESTART,
            destroy_grace_seconds=30,
            opts=container_options(self),
        )

    def _worker(
        self,
        host: DockerHost,
        image: Output[str],
        pool: str,
        databases: Mapping[Name, DockerDatabase],
        server: docker.Container,
    ) -> None:
        command = ["prefect", "worker", "start", "--pool", pool, "--type", "process"]
        docker.Container(
            "prefect-worker",
            name=host.container_name("worker"),
            image=image,
            command=[*command, "--with-healthcheck"],
            envs=environment(Output.all(**_worker_variables(host, databases))),
            networks_advanced=host.joined(),
            labels=host.labels("worker"),
            healthcheck=_answers(f"http://127.0.0.1:{_WORKER_HEALTH_PORT}/health"),
            wait=True,
            wait_timeout=240,
            restart=RESTART,
            # A flow that runs is given time to end its transaction.
            destroy_grace_seconds=60,
            opts=container_options(self, server, *_ready(databases)),
        )


def _worker_variables(
    host: DockerHost, databases: Mapping[Name, DockerDatabase]
) -> dict[str, Input[str]]:
    """The phases work as owner, on the addresses within the network."""
    urls: dict[str, Input[str]] = {
        f"{_ADMIN_URLS[name]}_URL": database.internal_owner_url
        for name, database in databases.items()
    }
    api = f"http://{host.container_name('prefect')}:{PORT}/api"
    told = {"HOSTS_WITHOUT_TLS": host.hosts_without_tls(), "PREFECT_API_URL": api}
    return {**urls, **told, "PREFECT_WORKER_WEBSERVER_PORT": "8080"}


def _ready(databases: Mapping[Name, DockerDatabase]) -> list[pulumi.Resource]:
    return [database.ready for database in databases.values()]


def _answers(url: str) -> docker.ContainerHealthcheckArgs:
    program = f"import urllib.request as u; u.urlopen('{url}', timeout=4)"
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", "python", "-c", program],
        interval="10s",
        timeout="5s",
        start_period="2m0s",
        retries=5,
    )
