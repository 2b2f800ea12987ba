"""The execution of a cleanup: killable at any line, finished by the next run.

    locks → conditions → tombstone 'running' → stack → database → server → repository → files
          → settle → tombstone 'done'

The tombstone says what goes before anything goes. Each step is idempotent, and a run that finds a
tombstone begins at the step that was begun last.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ops.books.backups import known_backups
from ops.books.run_lock import exclusive_rebuild, exclusive_run
from ops.books.tombstones import (
    Tombstone,
    begin_tombstone,
    cleaned_up,
    end_tombstone,
    enter_step,
    note_removed,
)
from ops.cleanup.conditions.backups import DUMPED, require_file
from ops.cleanup.database import drop_database
from ops.cleanup.folders import FoundFile, FoundFolder, refuse_backups_in, refuse_more_in
from ops.cleanup.own_server import remove_server
from ops.cleanup.plan import CleanupPlan, plan_cleanup, require_plan
from ops.cleanup.removing import checksum, remove_file, remove_folder
from ops.cleanup.scene import Scene
from ops.errors import RefusedError
from ops.evidence.cutovers import swap_in_force

OnStep = Callable[[str], None]
Step = Callable[[Scene, Tombstone], Any]


def execute_cleanup(scene: Scene, plan_id: str, on_step: OnStep = lambda _step: None) -> Tombstone:
    """Remove what a plan says, if every condition holds and nothing has moved since its dry run.

    A cleanup that was killed is finished; one that is done is left alone.

    Args:
        on_step: told each step's name before it begins.

    Raises:
        RefusedError: a condition does not hold, or something has moved; nothing was removed.
        BusyError: another run works on Core.
    """
    with exclusive_rebuild(scene.core), exclusive_run(scene.core):
        begun = cleaned_up(scene.core)
        if begun is None:
            begun = _begin(scene, plan_id)
        elif begun.state == "done":
            return begun
        else:
            _require_unfinished(scene, begun, plan_id)
        _go_through(scene, begun, on_step)
        end_tombstone(scene.core, begun.plan_id)
        done = cleaned_up(scene.core)
    assert done is not None  # it was begun above
    return done


def _begin(scene: Scene, plan_id: str) -> Tombstone:
    plan = plan_cleanup(scene, ours=True)
    require_plan(scene, plan, plan_id)
    swap = swap_in_force(scene.core)
    assert swap is not None  # a condition has seen to it
    begin_tombstone(scene.core, swap.id, plan_id, _what_goes(plan), _evidence(plan), scene.waiver)
    begun = cleaned_up(scene.core)
    assert begun is not None
    return begun


def _require_unfinished(scene: Scene, begun: Tombstone, plan_id: str) -> None:
    if begun.plan_id != plan_id:
        raise RefusedError(
            f"cleanup {begun.plan_id} was begun and not finished; run "
            f"`sigmasight cleanup --execute --plan-id {begun.plan_id}`"
        )
    if swap_in_force(scene.core) is None or scene.active() != "new":
        raise RefusedError(
            f"cleanup {plan_id} was begun, and the old pair has been made active since; find out "
            "what is left of the old database before anything else"
        )


def _go_through(scene: Scene, begun: Tombstone, on_step: OnStep) -> None:
    names = list(STEPS)
    first = names.index(begun.step) if begun.step in names else 0
    for name in names[first:]:
        enter_step(scene.core, begun.plan_id, name)
        on_step(name)
        outcome = STEPS[name](scene, begun)
        note_removed(scene.core, begun.plan_id, name, outcome)


def _forget_in_stack(scene: Scene, _begun: Tombstone) -> str:
    if scene.stack is None:
        return "no stack is declared"
    scene.stack.forget_legacy()
    return "the stack declares it as absent"


def _drop(scene: Scene, begun: Tombstone) -> str:
    recorded = begun.removed["database"]["identity"]
    return drop_database(scene, recorded, partial(_require_dump, begun))


def _require_dump(begun: Tombstone) -> None:
    """Once more: a run that was killed may have looked days ago."""
    if begun.waiver is None:
        dump = begun.evidence[DUMPED]
        require_file(Path(dump["path"]), dump["sha256"], "put it back, then run the cleanup again")


def _remove_repository(scene: Scene, begun: Tombstone) -> str:
    found = begun.removed["repository"]
    if not found:
        return "none is configured"
    folder = FoundFolder(**found)
    refuse_backups_in(Path(folder.path), _backups(scene))
    refuse_more_in(folder)
    return remove_folder(folder)


def _backups(scene: Scene) -> list[Path]:
    """Once more: one may have been taken since the look."""
    return [one.file for one in known_backups(scene.core)]


def _remove_files(scene: Scene, begun: Tombstone) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    backups = {str(file.resolve()) for file in _backups(scene)}
    for one in begun.removed["files"]:
        if one["path"] in backups:
            outcomes[one["path"]] = "left: it is a backup"
            continue
        known = {key: value for key, value in one.items() if key != "sha256"}
        outcomes[one["path"]] = remove_file(FoundFile(**known))
    return outcomes


def _settle(scene: Scene, _begun: Tombstone) -> list[str]:
    return [] if scene.stack is None else list(scene.stack.settle())


# In this order, so that no `up` of somebody else brings the old database back in between.
STEPS: Mapping[str, Step] = {
    "stack": _forget_in_stack,
    "database": _drop,
    "server": lambda scene, _begun: remove_server(scene),
    "repository": _remove_repository,
    "files": _remove_files,
    "settle": _settle,
}


def _what_goes(plan: CleanupPlan) -> dict[str, Any]:
    removal = plan.removal
    return {
        "database": {
            "identity": dict(removal.database),
            "address": removal.address,
            "rows": dict(removal.rows),
            "own_server": removal.own_server,
        },
        "stack": dict(removal.stack),
        "repository": asdict(removal.repository) if removal.repository else None,
        "files": [{**asdict(file), "sha256": checksum(file)} for file in removal.files],
        "outcome": {},
    }


def _evidence(plan: CleanupPlan) -> dict[str, Any]:
    return {one.condition: one.as_json() for one in plan.findings}
