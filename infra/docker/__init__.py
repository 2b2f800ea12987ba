"""The docker target: each database in a container of its own, on a named volume."""

import pulumi

from infra.components import DeclaredStack
from infra.docker.backend import declare_backend
from infra.docker.containers import docker_host
from infra.docker.databases import declare_databases
from infra.docker.images import pulled_image
from infra.docker.passwords import check_secrets
from infra.docker.prefect import declare_prefect
from infra.docker.settings import docker_settings
from infra.docker_daemon import docker_daemon, refuse_foreign_volumes
from infra.stack_config import StackConfig
from infra.topology import Topology


def declare_docker(topology: Topology, config: StackConfig) -> DeclaredStack:
    """Declare the databases, the backend and, if asked for, Prefect.

    Raises:
        ConfigurationError: the configuration cannot be used; nothing is declared then.
        RefusedError: another's volume has the name of one of the stack's, or the stack is new and
            has no identity.
    """
    settings = docker_settings(topology, config)
    check_secrets(topology, config)
    with docker_daemon(pulumi.Config("docker").get) as daemon:
        if daemon is not None:
            refuse_foreign_volumes(
                daemon,
                [*map(settings.volume, settings.ports)],
                settings.stack,
                identified=settings.stack != pulumi.get_stack(),
            )
    host = docker_host(settings)
    image = pulled_image(host, "database-image", settings.database_image)
    databases = declare_databases(host, topology.databases, image, config)
    backend = declare_backend(host, databases, config)
    if config.flag("prefect", False):
        pulumi.export("prefect_api_url", declare_prefect(host, databases, config).api_url)
    return DeclaredStack(databases, backend)
