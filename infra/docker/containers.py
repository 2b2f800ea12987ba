"""What all containers of the stack share: daemon, labels, network, ports, volumes, and how they
restart."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pulumi import Alias, Output, Resource, ResourceOptions

from infra.docker.settings import DockerSettings
from infra.docker_daemon import DEFAULT_PROVIDER, daemon_address
from infra.stack_config import PROJECT

RESTART = "unless-stopped"
Role = str


@dataclass(frozen=True)
class DockerHost:
    """Where the stack's containers live.

    Attributes:
        provider: of all that is declared there.
        network: they find each other there by their containers' names.
    """

    settings: DockerSettings
    provider: docker.Provider
    network: docker.Network

    def container_name(self, role: Role) -> str:
        """The name of a container; also its host name within the network."""
        return f"{self.settings.prefix}-{role}"

    def hosts_without_tls(self) -> str:
        """The databases, whose traffic does not leave the network."""
        return ",".join(map(self.container_name, self.settings.ports))

    def joined(self) -> list[docker.ContainerNetworksAdvancedArgs]:
        """A container's place in the network."""
        return [docker.ContainerNetworksAdvancedArgs(name=self.network.name)]

    def published(self, internal: int, external: int) -> list[docker.ContainerPortArgs]:
        """A port, published on the bind address."""
        return [
            docker.ContainerPortArgs(
                internal=internal, external=external, ip=self.settings.bind_address
            )
        ]

    def labels(self, role: Role) -> list[docker.ContainerLabelArgs]:
        """By which `docker ps --filter label=…` finds the stack's containers."""
        return [
            docker.ContainerLabelArgs(label=f"{PROJECT}.{name}", value=value)
            for name, value in (("role", role), ("stack", self.settings.stack))
        ]

    def volume(self, role: Role, parent: Resource) -> docker.Volume:
        """A named volume, which neither a destroy nor the end of its stack takes away."""
        labels = [
            docker.VolumeLabelArgs(label=f"{PROJECT}.role", value=role),
            docker.VolumeLabelArgs(label=f"{PROJECT}.stack", value=self.settings.stack),
        ]
        options = ResourceOptions(
            parent=parent,
            provider=self.provider,
            protect=self.settings.protect,
            retain_on_delete=True,
        )
        return docker.Volume(
            f"{role}-data", name=self.settings.volume(role), labels=labels, opts=options
        )

    def container_options(self, parent: Resource, *needed: Resource) -> ResourceOptions:
        """A container's options. The old one goes first: both would want its name, port and volume.
        One with another health check is a new one: Docker cannot change it, and the provider does
        not say so."""
        return ResourceOptions(
            parent=parent,
            provider=self.provider,
            depends_on=list(needed),
            delete_before_replace=True,
            replace_on_changes=["healthcheck"],
        )


def docker_host(settings: DockerSettings) -> DockerHost:
    """Declare the daemon of the stack, as the provider reaches it, and the network there."""
    provider = _provider()
    network = docker.Network(
        "network",
        name=settings.prefix,
        driver="bridge",
        labels=[docker.NetworkLabelArgs(label=f"{PROJECT}.stack", value=settings.stack)],
        opts=ResourceOptions(provider=provider),
    )
    return DockerHost(settings, provider, network)


def _provider() -> docker.Provider:
    """Told all that a provider of the engine's own would read of the stack's `docker:` keys."""
    given = pulumi.Config("docker")
    context, host = daemon_address(given.get)
    return docker.Provider(
        "docker",
        context=context,
        host=host,
        ca_material=given.get_secret("caMaterial"),
        cert_material=given.get_secret("certMaterial"),
        key_material=given.get_secret("keyMaterial"),
        cert_path=given.get("certPath"),
        registry_auth=given.get_secret_object("registryAuth"),
        ssh_opts=given.get_object("sshOpts"),
        opts=ResourceOptions(aliases=[Alias(name=DEFAULT_PROVIDER)]),
    )


def environment(variables: Output[dict[str, str]]) -> Output[list[str]]:
    """Variables as Docker takes them: sorted, secret as a whole."""

    def listed(found: dict[str, str]) -> list[str]:
        return [f"{name}={found[name]}" for name in sorted(found)]

    return Output.secret(variables.apply(listed))
