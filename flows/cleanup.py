"""Phase 11: the old database is removed, when the evidence for it is whole."""

from dataclasses import replace

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.backend import start_backend
from flows.heartbeat import phase_flow
from flows.retrying import phase_task
from flows.run_history import only_noted
from ops.backend.supervised import SupervisedBackend
from ops.books.cleanup_plans import waiver_of
from ops.books.declared_stack import declared_target
from ops.books.tombstones import Tombstone, cleaned_up
from ops.cleanup.plan import CleanupPlan, plan_cleanup
from ops.cleanup.report import plan_markdown, tombstone_markdown, what_to_type
from ops.cleanup.run import execute_cleanup
from ops.cleanup.scene import DeclaredLegacy, Scene, scene_of
from ops.cleanup.scheduled import firing_of
from ops.evidence.cutovers import refuse_removed
from ops.settings import OperatorSettings, operator_settings

_ARTIFACT = "cleanup-plan"


def _run_name() -> str:
    parameters = flow_run.parameters
    if not parameters.get("execute"):
        return "cleanup (dry run)"
    return f"cleanup {parameters.get('plan_id') or 'as approved'}"


@phase_flow("cleanup", flow_run_name=_run_name)
def cleanup(
    plan_id: str | None = None, execute: bool = False, waiver: str | None = None
) -> CleanupPlan | Tombstone:
    """Show what a cleanup would remove and every condition for it; with `execute` remove it.

    Args:
        plan_id: the id that a dry run has shown. Without it an execution is a firing of the
            schedule, which executes only what an operator approved, on its day.
        execute: remove it.
        waiver: who does without a dump of the old database, and why, in a sentence.
    """
    log = get_run_logger()
    settings = operator_settings()
    scene = scene_of(settings, _declared(settings), waiver)
    begun = cleaned_up(scene.core)
    if begun is not None and begun.state == "done":
        log.info("already done: cleanup %s of %s", begun.plan_id, f"{begun.ended_at:%Y-%m-%d}")
        _artifact(tombstone_markdown(begun))
        _serve_new_alone(settings)
        return begun
    chosen = plan_id
    if execute and chosen is None:
        firing = firing_of(scene)
        (log.info if firing.plan_id else log.warning)("scheduled: %s", firing.reason)
        chosen = firing.plan_id
    if execute and chosen is not None:
        done = _execute(scene, chosen)
        _serve_new_alone(settings)
        return done
    return _dry_run(scene)


def _dry_run(scene: Scene) -> CleanupPlan:
    refuse_removed(scene.core)
    plan = look(scene)
    get_run_logger().info("%s", what_to_type(plan))
    _artifact(plan_markdown(plan, "Cleanup (dry run): nothing was removed"))
    return plan


def _execute(scene: Scene, plan_id: str) -> Tombstone:
    waiver = scene.waiver or waiver_of(scene.core, plan_id)
    done = remove(replace(scene, waiver=waiver), plan_id)
    _artifact(tombstone_markdown(done))
    return done


def _serve_new_alone(settings: OperatorSettings) -> None:
    """A backend of ours that runs is started again without the old database's address."""
    if settings.backend_is_ours and SupervisedBackend(settings.state).url is not None:
        start_backend(settings).wait()


@phase_task("look at every condition")
def look(scene: Scene) -> CleanupPlan:
    """Nothing is removed."""
    return plan_cleanup(scene)


@phase_task("remove", task_run_name="remove what plan {plan_id} says")
def remove(scene: Scene, plan_id: str) -> Tombstone:
    """Tried again, it goes on where it was."""
    log = get_run_logger()
    return execute_cleanup(scene, plan_id, lambda step: log.info("step: %s", step))


def _declared(settings: OperatorSettings) -> DeclaredLegacy | None:
    if declared_target(settings.state) is None:
        return None
    # Only here: without a declared stack nothing of Pulumi is needed.
    from flows.cleanup_stack import cleaned_stack

    log = get_run_logger()
    return cleaned_stack(settings, lambda line: log.info("%s", line))


@only_noted()
def _artifact(text: str) -> None:
    create_markdown_artifact(text, key=_ARTIFACT, description="Cleanup: conditions and what goes")
