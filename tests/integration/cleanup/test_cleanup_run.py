"""What a cleanup removes when all conditions hold, and that a killed one is finished."""

import os
import signal
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops.books.tombstones import Tombstone, cleaned_up
from ops.cleanup import run
from ops.cleanup.plan import CleanupPlan, plan_cleanup
from ops.cleanup.run import STEPS, execute_cleanup
from ops.connection import connect
from ops.endpoints import present_legacy, resolve_endpoints
from ops.errors import BadInputError, RefusedError
from ops.evidence.cutovers import refuse_after_swap
from tests.integration.checklist_look import external
from tests.integration.cleanup.conftest import MakeWorld
from tests.integration.cleanup.swapped_world import World

LEFT = {
    "notes.txt",
    "old.SQL",
    "sql",
    "old.sql.gz",
    "server.log",
    "below",
    "folder.sql",
    "link.sql",
    "link",
}


def assert_cleaned(world: World, before: dict[str, Any]) -> None:
    assert world.legacy_tables() is None
    databases = {name for _oid, name in world.surroundings()["databases"]}
    assert databases == {name for _oid, name in before["databases"]} - {world.legacy.database}
    assert {path.name for path in (world.root / "dumps").iterdir()} == LEFT
    assert (world.root / "dumps" / "below" / "deep.sql").read_text() == "deep"
    assert (world.root / "outside" / "precious.sql").read_text() == "precious"
    assert len(list((world.root / "backups").glob("*.dump"))) == 3
    assert world.stack.read() == {
        "active": "new",
        "legacy": "absent",
        "protected": False,
        "up": True,
    }


def test_dry_run_then_execution_then_nothing_more(make_world: MakeWorld) -> None:
    world = make_world(backups="real")
    before = world.everything()
    plan = plan_cleanup(world.scene())
    assert [one for one in plan.findings if not one.met] == []
    assert {Path(file.path).name for file in plan.removal.files} == {"old.sql", "old.dump"}
    assert plan_cleanup(world.scene()).plan_id == plan.plan_id
    assert world.everything() == before, "a dry run changes nothing"

    assert cleaned_up(world.core) is None
    done = execute_cleanup(world.scene(), plan.plan_id or "")
    assert done == cleaned_up(world.core)
    assert_cleaned(world, before)
    assert_told(done, plan, before)
    after = world.everything()
    assert_absent(world)
    assert execute_cleanup(world.scene(), "any id") == done
    assert world.everything() == after


def assert_absent(world: World) -> None:
    """Phases pass over the old database, which the environment still names."""
    settings = external(world.root / "elsewhere", world.core, world.ai, world.legacy)
    assert resolve_endpoints(settings).legacy == world.legacy
    assert present_legacy(settings) is None
    with pytest.raises(RefusedError, match=r"removed by a cleanup on .*; there is nothing to roll"):
        refuse_after_swap(world.core)


def assert_told(done: Tombstone, plan: CleanupPlan, before: dict[str, Any]) -> None:
    """The tombstone says what was removed and why it was allowed."""
    assert done.state == "done"
    rows = {name: table.rows for name, table in before["legacy"].items()}
    assert done.removed["database"]["rows"] == rows
    assert done.removed["database"]["identity"] == plan.removal.database
    assert all(len(file["sha256"]) == 64 for file in done.removed["files"])
    assert done.removed["outcome"]["database"] == "dropped"
    assert set(done.removed["outcome"]["files"].values()) == {"removed"}
    assert done.evidence.keys() == {one.condition for one in plan.findings}
    assert all(found["met"] for found in done.evidence.values())
    dump = done.evidence["old database dumped and restored"]
    assert Path(dump["path"]).is_file(), "the dump that proves the restore stays"


def assert_killed(world: World, when: str, step: str, plan_id: str) -> None:
    """Execute the world's cleanup in a process that is killed before a step, or after it and before
    its record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # nothing of other threads is used
        child = os.fork()
    if child == 0:
        try:
            _execute_and_die(world, when, step, plan_id)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _execute_and_die(world: World, when: str, step: str, plan_id: str) -> None:
    note = run.note_removed

    def die_if(now: str, name: str) -> None:
        if (now, name) == (when, step):
            os.kill(os.getpid(), signal.SIGKILL)

    def noted(connection: Any, plan: Any, what: str, outcome: Any) -> None:
        die_if("after", what)
        note(connection, plan, what, outcome)

    run.note_removed = noted
    execute_cleanup(world.scene(), plan_id, partial(die_if, "before"))


def test_killed_before_and_after_every_step_it_is_finished(make_world: MakeWorld) -> None:
    """One world, killed twelve times: each run goes on where the last one was."""
    world = make_world()
    before = world.everything()
    plan_id = plan_cleanup(world.scene()).plan_id or ""
    for step in STEPS:
        for when in ("before", "after"):
            assert_killed(world, when, step, plan_id)
            begun = cleaned_up(world.core)
            assert begun is not None
            assert (begun.state, begun.step) == ("running", step)
    with pytest.raises(RefusedError, match=f"cleanup {plan_id} was begun and not finished"):
        execute_cleanup(world.scene(), "another")
    done = execute_cleanup(world.scene(), plan_id)
    assert done.state == "done"
    assert_cleaned(world, before)
    assert set(done.removed["outcome"]) == set(STEPS)


def test_a_half_done_cleanup_asks_again_before_each_thing_goes(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    plan_id = plan_cleanup(world.scene()).plan_id or ""
    assert_killed(world, "before", "database", plan_id)
    with pytest.raises(RefusedError, match="the old pair has been made active since"):
        execute_cleanup(world.scene(active=lambda: "old"), plan_id)
    with (
        connect(world.legacy, application_name="somebody"),
        pytest.raises(RefusedError, match="the old database is in use"),
    ):
        execute_cleanup(world.scene(), plan_id)
    dump = next((world.root / "backups").glob("legacy-*"))
    moved = dump.rename(world.root / "outside" / dump.name)
    with pytest.raises(RefusedError, match=rf"{dump.name} cannot be read .*; put it back"):
        execute_cleanup(world.scene(), plan_id)
    assert world.legacy_tables() is not None
    moved.rename(dump)
    new = world.root / "dumps" / "repository" / "of_yesterday.py"
    new.write_text("precious")
    # As a role may bear it since before the move.
    read_only = {"options": "-cdefault_transaction_read_only=on"}
    scene = world.scene(maintenance=world.maintenance.update_query_dict(read_only))
    with pytest.raises(RefusedError, match=f"{new.parent} holds more .*move them out"):
        execute_cleanup(scene, plan_id)
    assert (world.legacy_tables(), new.read_text()) == (None, "precious")
    new.rename(world.root / "outside" / new.name)
    (new.parent / "main.py").unlink()  # as a killed removal leaves it
    assert execute_cleanup(scene, plan_id).state == "done"
    assert not new.parent.exists()


@pytest.mark.soak
def test_a_database_of_the_same_name_that_was_made_since_stays(make_world: MakeWorld) -> None:
    world = make_world()
    plan_id = plan_cleanup(world.scene()).plan_id or ""
    assert_killed(world, "after", "database", plan_id)
    world.ask(world.maintenance, f"CREATE DATABASE {world.legacy.database}")
    done = execute_cleanup(world.scene(), plan_id)
    assert done.removed["outcome"]["database"] == "gone already"
    assert world.ask(world.legacy, "SELECT 1") == [(1,)]


@pytest.mark.soak
def test_a_waiver_in_writing_stands_in_for_the_dump_and_is_kept(make_world: MakeWorld) -> None:
    world = make_world()
    world.ask(world.core, "DELETE FROM ops.backups WHERE database = 'legacy'")
    assert plan_cleanup(world.scene()).plan_id is None
    waiver = "Ada Lovelace, 12 December: the platform keeps it, public.prices too, for a year."
    plan_id = plan_cleanup(world.scene(waiver=waiver)).plan_id or ""
    done = execute_cleanup(world.scene(waiver=waiver), plan_id)
    assert done.waiver == waiver
    assert world.legacy_tables() is None


@pytest.mark.soak
def test_a_backup_that_came_to_lie_in_the_way_meanwhile_stays(make_world: MakeWorld) -> None:
    world = make_world()
    plan_id = plan_cleanup(world.scene()).plan_id or ""
    there = {"repository": "dumps/repository/main.py", "files": "dumps/old.dump"}

    def recorded(step: str) -> None:
        file = str(world.root / there.get(step, "backups/elsewhere.dump"))
        world.ask(world.core, "UPDATE ops.backups SET path = %s WHERE database = 'ai'", file)

    with pytest.raises(BadInputError, match="holds the backup"):
        execute_cleanup(world.scene(), plan_id, recorded)
    assert (world.root / there["repository"]).exists()
    del there["repository"]
    done = execute_cleanup(world.scene(), plan_id, recorded)
    file = str(world.root / there["files"])
    assert done.removed["outcome"]["files"][file] == "left: it is a backup"
    assert Path(file).exists()
