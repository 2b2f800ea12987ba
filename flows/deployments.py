"""What the dashboard offers to run: the deployments of `prefect.yaml`, registered as
`prefect deploy --all` does, but within this process and in a second."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule, RRuleSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.importtools import import_object
from prefect.utilities.templating import apply_values

from app.chain_folders import PROJECT_ROOT
from flows.worker import WORK_POOL

PREFECT_FILE = PROJECT_ROOT / "prefect.yaml"
_TOLD = ("slug", "replaces", "active", "parameters")


def register_deployments() -> list[str]:
    """Make the work pool and every deployment; idempotent, and a schedule that the swap has
    activated stays active. Returns their names."""
    make_work_pool()
    return [register(one) for one in _declared()]


def are_registered() -> bool:
    """Whether the server has every deployment as this release declares it."""
    with get_client(sync_client=True) as client:
        known = {one.name for one in client.read_deployments() if one.version == _release()}
    return known >= {one["name"] for one in _declared()}


def _declared() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(PREFECT_FILE.read_bytes())["deployments"]
    return found


@cache
def _release() -> str:
    """What deployments are made of: their file, and the flows with their parameters."""
    digest = sha256(PREFECT_FILE.read_bytes())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def make_work_pool() -> None:
    """Make the pool whose runs a worker on this machine takes, unless there is one."""
    # Only here, as below: a rebuild that finds everything registered needs nothing of workers.
    from prefect.workers.process import ProcessWorker

    pool = WorkPoolCreate(
        name=WORK_POOL,
        type=ProcessWorker.type,
        description="Runs on the machine of the worker, in the folder where it was started.",
        base_job_template=ProcessWorker.get_default_base_job_template(),
    )
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            return


def register(declared: Mapping[str, Any]) -> str:
    """Make or update one deployment; returns its name."""
    from prefect.deployments.runner import RunnerDeployment

    limit = declared["concurrency_limit"]
    deployment = RunnerDeployment.from_entrypoint(
        entrypoint=declared["entrypoint"],
        name=declared["name"],
        description=declared["description"],
        version=_release(),
        tags=declared["tags"],
        concurrency_limit=limit["limit"],
        work_pool_name=declared["work_pool"]["name"],
        job_variables=declared["work_pool"]["job_variables"],
    )
    deployment.concurrency_options = ConcurrencyOptions(
        collision_strategy=limit["collision_strategy"]
    )
    deployment.storage = _NothingToPull()
    # An empty list would be asked what it means; None leaves what a person has added.
    deployment.apply(schedules=_schedules(declared) or None)
    return f"{deployment.flow_name}/{deployment.name}"


class _NothingToPull:
    """The worker has the code installed; Prefect asks every deployment where it is to be had."""

    pull_interval = None

    @property
    def destination(self) -> Path:
        return PROJECT_ROOT

    def set_base_path(self, path: Path) -> None:
        """Nothing is ever put anywhere."""

    async def pull_code(self) -> None:
        """There is nothing to pull."""

    def to_pull_step(self) -> list[dict[str, Any]]:
        return []


def _schedules(declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = apply_values(declared.get("schedules", []), _built(declared))
    return [_schedule(one) for one in found]


def _built(declared: Mapping[str, Any]) -> dict[str, Any]:
    """What the build steps say, by their ids."""
    steps = [item for step in declared.get("build", []) for item in step.items()]
    return {options["id"]: import_object(function)() for function, options in steps}


def follow_schedule_to_deploy() -> dict[str, Any]:
    """Whether the schedule of `follow` is `active`: only where a person has made it so."""
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name("follow/follow")
        except ObjectNotFound:
            return {"active": False}
        return {"active": any(one.active for one in known.schedules)}


def _schedule(declared: Mapping[str, Any]) -> dict[str, Any]:
    zone = declared["timezone"]
    schedule = (
        CronSchedule(cron=declared["cron"], timezone=zone)
        if "cron" in declared
        else RRuleSchedule(rrule=declared["rrule"], timezone=zone)
    )
    told = {key: declared[key] for key in _TOLD if declared.get(key) is not None}
    return {"schedule": schedule, **told}
