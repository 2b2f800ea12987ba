"""The docker target's program with usual values, for tests that change one of them."""

from collections.abc import Mapping

from infra.program import declare
from infra.stack_secrets import docker_secrets
from infra.topology import Presence, Topology
from ops.books.active_pair import Pair
from ops.state_folder import StateFolder
from tests.infra.mocks import Program, run_program

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
BUILT_IMAGE = "docker:index/image:Image"
NETWORK = "docker:index/network:Network"
PROVISIONING = "pulumi-python:dynamic/infra:Provisioning"
MIGRATION = "pulumi-python:dynamic/infra:Migration"
INSTANCE = "sigmasight:infra:PostgresInstance"
BACKEND = "sigmasight:infra:Backend"
SIGNING_KEY = "canary-" + "k" * 32
PREFECT_IMAGE = "prefecthq/prefect@sha256:" + "a" * 64


def canaries(topology: Topology) -> dict[str, str]:
    """A secret for each key that needs one; every value can be found again."""
    keys = docker_secrets(topology.databases)
    found = {key: f"canary-{key}@:/%" for key in keys}
    return {**found, "secretKey": SIGNING_KEY}


def docker_program(
    *,
    legacy: Presence = "present",
    active: Pair = "new",
    vector_version: str = "0.8.6",
    changed: Mapping[str, str] | None = None,
    state: StateFolder | None = None,
    dry_run: bool = False,
    **config: str,
) -> Program:
    """What the program declares with these settings.

    Args:
        changed: secrets that are not as usual.
        state: by default one that is gone afterwards.
    """
    secrets = {**canaries(Topology("docker", "present", "new")), **(changed or {})}
    plain = {"target": "docker", "legacy": legacy, "active": active, **config}
    return run_program(plain, secrets, declare, vector_version, state=state, dry_run=dry_run)
