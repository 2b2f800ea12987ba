"""What an engine that was killed has left on the Docker host."""

import os
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ops.waiting import wait_until

INITIALISED_SECONDS = 180.0
_CONTAINER = "docker:index/container:Container"
_HOST = "unix:///var/run/docker.sock"


def remove_container(resource: Mapping[str, Any], log: Callable[[str], None]) -> None:
    """Remove the container that a resource was to become; its volumes stay. Only one with the name
    and the labels which it was to have is known to be the stack's. Without Docker's command line it
    stays, and the engine will name it.

    Args:
        resource: as the engine recorded it before it made the container.
    """
    if resource["type"] != _CONTAINER:
        return
    inputs = resource["inputs"]
    labels = [f"label={each['label']}={each['value']}" for each in inputs["labels"]]
    filters = [f"--filter={given}" for given in (f"name=^/?{inputs['name']}$", *labels)]
    for container in _docker("ps", "--all", "--quiet", *filters).split():
        # One that still fills its volume would leave it half-made.
        wait_until(partial(_is_settled, container), INITIALISED_SECONDS, pause=1.0)
        _docker("stop", "--time=60", container)
        _docker("rm", container)
        log(f"removed the container {inputs['name']}, which a killed run had left")


def _is_settled(container: str) -> bool:
    said = _docker("inspect", "--format={{.State.Status}} {{.State.Health.Status}}", container)
    return said.split() != ["running", "starting"]


def _docker(*words: str) -> str:
    told = {"DOCKER_HOST": _HOST, **os.environ}
    if told.get("DOCKER_CONTEXT"):  # wins with the provider; here a host would
        del told["DOCKER_HOST"]
    try:
        return subprocess.run(("docker", *words), env=told, capture_output=True, text=True).stdout
    except OSError:
        return ""
