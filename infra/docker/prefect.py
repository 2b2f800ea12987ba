"""Prefect's server and worker as containers, where the stack says `prefect: true`."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi_docker as docker
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.docker.containers import RESTART, DockerHost, environment
from infra.docker.databases import DockerPostgres
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


@dataclass(frozen=True)
class PrefectArgs:
    """What Prefect's containers are told.

    Attributes:
        host: where the stack's containers live.
        server_image, worker_image: by their ids; the worker's has this project in it.
        work_pool: the pool that the worker serves.
    """

    host: DockerHost
    databases: Mapping[Name, DockerPostgres]
    server_image: Input[str]
    worker_image: Input[str]
    work_pool: Input[str]


class Prefect(ComponentResource):
    """A server that records runs, and a worker that runs the flows.

    Attributes:
        api_url: where this machine reaches the server.
    """

    api_url: Output[str]

    def __init__(self, name: str, args: PrefectArgs, opts: ResourceOptions | None = None) -> None:
        """Declare both."""
        super().__init__("sigmasight:infra:Prefect", name, None, opts)
        self._worker(args, self._server(args))
        self.api_url = Output.from_input(f"{args.host.settings.http_url('prefect')}/api")
        self.register_outputs({"api_url": self.api_url})

    def _server(self, args: PrefectArgs) -> docker.Container:
        host = args.host
        volume = host.volume("prefect", self)
        return docker.Container(
            "prefect-server",
            name=host.container_name("prefect"),
            image=args.server_image,
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
            opts=host.container_options(self),
        )

    def _worker(self, args: PrefectArgs, server: docker.Container) -> None:
        host, databases = args.host, args.databases
        command = ["prefect", "worker", "start", "--pool", args.work_pool, "--type", "process"]
        docker.Container(
            "prefect-worker",
            name=host.container_name("worker"),
            image=args.worker_image,
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
            opts=host.container_options(self, server, *(db.ready for db in databases.values())),
        )


def declare_prefect(
    host: DockerHost, databases: Mapping[Name, DockerPostgres], config: StackConfig
) -> Prefect:
    """Declare both as the stack says.

    Raises:
        ConfigurationError: an image is missing or not pinned.
    """
    image = host.settings.check_image("prefectImage", config.text("prefectImage"))
    worker = host.settings.check_image("workerImage", config.text("workerImage", image))
    args = PrefectArgs(
        host,
        databases,
        pulled_image(host, "prefect-image", image),
        pulled_image(host, "worker-image", worker),
        config.text("workPool", "sigmasight"),
    )
    return Prefect("prefect", args)


def _worker_variables(
    host: DockerHost, databases: Mapping[Name, DockerPostgres]
) -> dict[str, Input[str]]:
    """The phases work as owner, on the addresses within the network."""
    urls: dict[str, Input[str]] = {
        f"{_ADMIN_URLS[name]}_URL": database.internal_owner_url
        for name, database in databases.items()
    }
    api = f"http://{host.container_name('prefect')}:{PORT}/api"
    told = {"HOSTS_WITHOUT_TLS": host.hosts_without_tls(), "PREFECT_API_URL": api}
    return {**urls, **told, "PREFECT_WORKER_WEBSERVER_PORT": "8080"}


def _answers(url: str) -> docker.ContainerHealthcheckArgs:
    program = f"import urllib.request as u; u.urlopen('{url}', timeout=4)"
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", "python", "-c", program],
        interval="10s",
        timeout="5s",
        start_period="2m0s",
        retries=5,
    )
