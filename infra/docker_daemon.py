"""The Docker daemon that the provider works on, asked for what the provider does not tell."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from infra.stack_config import PROJECT
from ops.errors import RefusedError
from ops.waiting import wait_until

if TYPE_CHECKING:  # a fifth of a second of imports, which only a docker stack needs
    from docker import DockerClient
    from docker.models.containers import Container

# What an engine has called its own provider in stacks that named none: ours takes its place, and no
# resource is replaced.
DEFAULT_PROVIDER = "default_5_2_0"
INITIALISED_SECONDS = 180.0
ANSWER_SECONDS = 10
_HOST = "unix:///var/run/docker.sock"
_CONTAINER = "docker:index/container:Container"


def daemon_address(configured: Callable[[str], str | None]) -> tuple[str | None, str]:
    """The context of the daemon, if one is named, and the host, which counts without one: as
    `docker:context` and `docker:host` of the stack say, or DOCKER_CONTEXT and DOCKER_HOST.

    Args:
        configured: gives a key of the provider's configuration.
    """
    context, host = (
        configured(key) or os.environ.get(f"DOCKER_{key.upper()}") for key in ("context", "host")
    )
    return context or None, host or _HOST


@contextmanager
def docker_daemon(configured: Callable[[str], str | None]) -> "Iterator[DockerClient | None]":
    """The daemon at `daemon_address`. None where it does not answer, or cannot be asked from here,
    as over SSH: the provider will say what is wrong with it."""
    client = _client(configured)
    try:
        yield client
    finally:
        if client is not None:
            client.close()


def refuse_foreign_volumes(
    daemon: "DockerClient", names: Sequence[str], stack: str, *, identified: bool
) -> None:
    """See that no volume which the stack is to make is there with another owner's labels: the
    daemon would hand it out as it is. One without labels is taken for a restored one.

    Args:
        identified: whether the stack has an identity. One that is new needs it, or a stack of the
            same name in another clone would have the same names and labels.

    Raises:
        RefusedError: one is, or the stack is new and has none.
    """
    found = {volume.name: volume.attrs["Labels"] or {} for volume in daemon.volumes.list()}
    if not identified and found.keys().isdisjoint(names):
        raise RefusedError(
            f"the stack {stack} is new on its Docker host and has no identity, by which its names "
            "differ from those of a stack of the same name in another clone; "
            f"`pulumi config set {PROJECT}:identity VALUE`, of up to 16 letters and digits"
        )
    for name in names:
        labels = found.get(name, {})
        if labels and labels.get(f"{PROJECT}.stack") != stack:
            whose = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
            raise RefusedError(
                f"the Docker volume {name} is not of this stack but labelled {whose}; give the "
                f"stack names of its own by `pulumi config set {PROJECT}:identity VALUE`, or, if "
                f"nobody needs those data, `docker volume rm {name}`"
            )


def remove_container(
    daemon: "DockerClient", resource: Mapping[str, Any], log: Callable[[str], None]
) -> None:
    """Remove the container that a resource was to become and a killed engine has left; its volumes
    stay. Only one with the name and the labels which it was to have is known to be the stack's.

    Args:
        resource: as the engine recorded it before it made the container.
    """
    if resource["type"] != _CONTAINER:
        return
    inputs = resource["inputs"]
    labels = [f"{each['label']}={each['value']}" for each in inputs["labels"]]
    filters = {"name": f"^/?{inputs['name']}$", "label": labels}
    for container in daemon.containers.list(all=True, filters=filters):
        # One that still fills its volume would leave it half-made.
        wait_until(partial(_is_settled, container), INITIALISED_SECONDS, pause=1.0)
        container.stop(timeout=60)
        container.remove()
        log(f"removed the container {inputs['name']}, which a killed run had left")


def _client(configured: Callable[[str], str | None]) -> "DockerClient | None":
    from docker import ContextAPI, DockerClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    context, host = daemon_address(configured)
    try:
        if context:
            found = ContextAPI.kwargs_from_context(context)
        else:
            found = kwargs_from_env(environment={**os.environ, "DOCKER_HOST": host})
        if not _may_answer(found.get("base_url", "")):
            return None
        return DockerClient(**found, version="auto", timeout=ANSWER_SECONDS)
    except DockerException:
        return None


def _may_answer(address: str) -> bool:
    """Whether it is worth to connect: an unknown context has no address, a daemon that does not
    run no socket."""
    return bool(address) if "unix:" not in address else Path(urlsplit(address).path).exists()


def _is_settled(container: "Container") -> bool:
    container.reload()
    return bool(container.status != "running" or container.health != "starting")
