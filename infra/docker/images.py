"""Images: pulled by digest, found under a local tag, or built from the Dockerfile."""

import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from app.chain_folders import PROJECT_ROOT
from infra.docker.containers import DockerHost
from infra.stack_config import StackConfig

BASE_IMAGE = (
    "python:3.11.15-slim-bookworm"
    "@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3"
)


def pulled_image(host: DockerHost, name: str, reference: str) -> Output[str]:
    """Declare an image that is pulled, unless this Docker host has it, and return its id.

    Containers use the id, not the name: a name that moves would replace them at some later time.
    """
    # Other stacks of the host may use the same image.
    options = ResourceOptions(provider=host.provider)
    return docker.RemoteImage(name, name=reference, keep_locally=True, opts=options).image_id


def backend_image(host: DockerHost, config: StackConfig) -> Output[str]:
    """Declare the backend's image: the one that is configured, or one built here.

    Raises:
        ConfigurationError: an image is not pinned, and local images are not allowed.
    """
    given, settings = config.optional_text("backendImage"), host.settings
    if given is not None:
        return pulled_image(host, "backend-image", settings.check_image("backendImage", given))
    base = settings.check_image("baseImage", config.text("baseImage", BASE_IMAGE))
    build = docker.DockerBuildArgs(
        context=str(PROJECT_ROOT),
        dockerfile=str(PROJECT_ROOT / "Dockerfile"),
        args={"BASE_IMAGE": base},
    )
    # An image that is not pushed has its id in `repo_digest`.
    name = f"{settings.prefix}-backend"
    options = ResourceOptions(provider=host.provider)
    return docker.Image(
        "backend-image", image_name=name, build=build, skip_push=True, opts=options
    ).repo_digest
