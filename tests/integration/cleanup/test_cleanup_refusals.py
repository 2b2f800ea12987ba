"""Each condition by itself: where it does not hold, a cleanup is refused and nothing is touched.

A case damages one thing, is refused for exactly that, and mends it. The last test shows that the
world is as it was: there, everything holds again.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.chain_folders import PROJECT_ROOT
from ops.books.run_lock import exclusive_rebuild, exclusive_run
from ops.cleanup.conditions import CONDITIONS, asked
from ops.cleanup.facts import Facts
from ops.cleanup.plan import plan_cleanup
from ops.cleanup.run import execute_cleanup
from ops.cleanup.scene import Scene
from ops.database_identity import identity
from ops.errors import BusyError, RefusedError, SigmaSightError
from tests.groups import soaked, soaked_unless
from tests.integration.cleanup.damages import (
    NO_ROLLBACK,
    ROLLED_BACK,
    Damage,
    ai_as_legacy,
    backup_file,
    backup_row,
    backup_within,
    connected,
    copy_as_legacy,
    core_as_legacy,
    core_row,
    made_anew,
    maintained_from_itself,
    marked_as_ours,
    never_verified,
    new_table,
    no_account,
    nothing,
    plain_repository,
    read_by_somebody,
    relocked,
    role_without_rights,
    rolled_back,
    rules,
    statistics_reset,
    subscribed,
    unlocked_table,
    value,
    verification,
    written_past_the_lock,
    young_account,
)
from tests.integration.cleanup.swapped_world import World, changed


@dataclass(frozen=True)
class Case:
    """What is wrong, how it is made so, and which conditions say so.

    Attributes:
        damage: yields what is different about the scene, if anything is.
        says: a part of the refusal.
    """

    name: str
    damage: Damage
    unmet: set[str]
    says: str = ""
    scene: dict[str, Any] = field(default_factory=dict)


ON_THE_SWAP = {
    "is neither Core nor AI",
    "can be dropped",
    "swap in force",
    "seven days since the swap",
    "date reached",
    "no reads since the swap",
    "no writes since the swap",
    "writes locked",
    "is the recorded old database",
    "old database dumped and restored",
    "old database is as dumped",
}
UNKNOWN_USE = {"no reads since the swap", "no writes since the swap"}
WHAT_IT_IS = {
    *UNKNOWN_USE,
    "writes locked",
    "is the recorded old database",
    "is neither Core nor AI",
    "old database is as dumped",
}
FILES, REPOSITORY = "files may go", "repository may go"
DUMPED, AS_DUMPED = "old database dumped and restored", "old database is as dumped"

CASES = (
    Case("rolled back", rolled_back, ON_THE_SWAP, "no swap is in force"),
    Case("the value says old", value, {"swap in force"}, "the active pair says old"),
    Case(
        "a rollback was killed",
        core_row(ROLLED_BACK.format("running"), NO_ROLLBACK),
        {"no swap or rollback under way"},
        "run `sigmasight rollback`",
    ),
    Case(
        "swapped six days ago",
        core_row(
            "UPDATE ops.cutovers SET ended_at = ended_at + interval '2 days'",
            "UPDATE ops.cutovers SET ended_at = ended_at - interval '2 days'",
        ),
        {"seven days since the swap", "date reached"},
        "days since the swap; wait until",
    ),
    Case(
        "the date is to come",
        nothing,
        {"date reached"},
        "is still to come",
        {"given_date": (datetime.now(UTC) + timedelta(days=3)).date()},
    ),
    Case(
        "AI was made anew", made_anew, {"the pair of the swap"}, "ai_feedback of the new pair was"
    ),
    Case("never verified", never_verified, {"verified"}, "never verified"),
    Case("a check failed", lambda w: verification(w, fail=1), {"verified"}, "1 checks failed"),
    Case(
        "verified two days ago",
        lambda w: verification(w, at=(datetime.now(UTC) - timedelta(days=2)).isoformat()),
        {"verified"},
        "not of the last 24 hours",
    ),
    Case(
        "another Core was verified",
        lambda w: verification(w, core="elsewhere:5432/core"),
        {"verified"},
        "never verified",
    ),
    Case("verified without a check", lambda w: verification(w, **{"pass": 0}), {"verified"}),
    Case("somebody is connected", connected, {"no connections"}, "psql"),
    Case(
        "a disabled subscription is left", subscribed, {"no connections"}, "subscription forgotten"
    ),
    Case("somebody has read", read_by_somebody, {"no reads since the swap"}, "users"),
    Case(
        "somebody has written past the lock",
        written_past_the_lock,
        {*UNKNOWN_USE, AS_DUMPED},
        "find out who",
    ),
    Case("a table is not locked", unlocked_table, {"writes locked"}, "users"),
    Case(
        "a table was made since",
        new_table,
        {"writes locked", "no writes since the swap", AS_DUMPED},
        "late",
    ),
    Case("the lock is younger than the swap", relocked, {"writes locked", AS_DUMPED}),
    Case("the statistics were reset", statistics_reset, UNKNOWN_USE, "statistics were reset"),
    Case("accesses are counted for six days", young_account, {"no reads since the swap"}),
    Case("accesses were never counted", no_account, UNKNOWN_USE, "not known"),
    Case(
        "the address is unknown",
        nothing,
        {*WHAT_IT_IS, "no connections", "can be dropped"},
        "set LEGACY_DATABASE_URL",
        {"legacy": None},
    ),
    Case(
        "the old server is unknown",
        nothing,
        {"no connections", "can be dropped"},
        "does not run",
        {"maintenance": None},
    ),
    Case(
        "the address leads to Core",
        core_as_legacy,
        {*WHAT_IT_IS, "no connections"},
        "rebuild lock",
    ),
    Case("the address leads to AI", ai_as_legacy, WHAT_IT_IS, "another database"),
    Case(
        "the address leads to a copy",
        copy_as_legacy,
        {*UNKNOWN_USE, "is the recorded old database"},
        "another database",
    ),
    Case(
        "it is marked as one of ours",
        marked_as_ours,
        {"no writes since the swap", "is neither Core nor AI", "writes locked", AS_DUMPED},
    ),
    Case("a role without rights", role_without_rights, {"can be dropped"}, "may not drop"),
    Case(
        "dropped from within itself",
        maintained_from_itself,
        {"can be dropped"},
        "MAINTENANCE_DATABASE",
    ),
    *(
        Case(f"core: {what}", damage, {"Core backed up"}, says)
        for what, damage, says in (
            ("no backup", backup_row("core", "restored_at = NULL"), "no proved backup"),
            ("an old backup", backup_row("core", "taken_at = taken_at - interval '25 h'"), "older"),
            ("another's", backup_row("core", "identity = '{}'"), "no proved backup"),
            ("no file", backup_file("core", gone=True), "cannot be read"),
            ("a changed file", backup_file("core", gone=False), "not what was backed up"),
        )
    ),
    Case("ai: no backup", backup_row("ai", "restored_at = NULL"), {"AI backed up"}),
    Case(
        "ai: an old backup",
        backup_row("ai", "taken_at = taken_at - interval '25 h'"),
        {"AI backed up"},
        "older",
    ),
    Case("a dump never restored", backup_row("legacy", "restored_at = NULL"), {DUMPED, AS_DUMPED}),
    Case(
        "a dump from before the lock",
        backup_row("legacy", "taken_at = taken_at - interval '9 days'"),
        {DUMPED, AS_DUMPED},
        "since the swap",
    ),
    Case("a dump of another", backup_row("legacy", "identity = '{}'"), {DUMPED, AS_DUMPED}),
    Case("a dump that is gone", backup_file("legacy", gone=True), {DUMPED}, "cannot be read"),
    Case("a changed dump", backup_file("legacy", gone=False), {DUMPED}, "not what was backed up"),
    Case(
        "a waiver of one word",
        nothing,
        {DUMPED, AS_DUMPED},
        "who and why",
        {"waiver": "yes"},
    ),
    Case(
        "a waiver that does not name what nobody else has",
        nothing,
        {DUMPED},
        "nothing of ours knows public.prices, which hold rows",
        {"waiver": "Ada Lovelace, 12 December: the platform keeps its own snapshot for a year."},
    ),
    Case("a folder by ..", rules(folders=("dumps/../outside",)), {FILES, REPOSITORY}, "without"),
    Case("a folder by a link", rules(folders=("dumps/link",)), {FILES, REPOSITORY}, "symbolic"),
    Case("no such folder", rules(folders=("nowhere",)), {FILES, REPOSITORY}, "is no folder"),
    Case("everything", rules(folders=(Path("/"),)), {FILES, REPOSITORY}, "too much"),
    Case("our code", rules(folders=(PROJECT_ROOT / "ops",)), {FILES, REPOSITORY}, "the project"),
    Case(
        "all below our code",
        rules(folders=(PROJECT_ROOT,), recursive=True),
        {FILES, REPOSITORY},
        "holds the project",
    ),
    Case("a repository elsewhere", rules(repository="outside"), {REPOSITORY}, "not below"),
    Case("a repository by a link", rules(repository="dumps/link"), {REPOSITORY}, "symbolic"),
    Case("our repository", rules(repository=PROJECT_ROOT), {REPOSITORY}, "not below"),
    *(
        Case(f"a repository {how} a backup", damage, {REPOSITORY}, "holds the backup")
        for how, damage in (
            ("that holds", backup_within("dumps/repository", "dumps/repository")),
            ("on the way to", backup_within("outside", "dumps/repository/link")),
        )
    ),
    Case("no repository at all", plain_repository, {REPOSITORY}, "no git repository"),
)


@pytest.fixture(scope="module")
def plan_id(world: World) -> str:
    plan = plan_cleanup(world.scene())
    assert [one for one in plan.findings if not one.met] == []
    return plan.plan_id or ""


@pytest.fixture(scope="module")
def pristine(world: World) -> dict[str, Any]:
    return world.everything()


# What another case shows as well: the same rule of the other database, or of another way to it.
AT_LENGTH = {
    "another Core was verified",
    "accesses were never counted",
    "the old server is unknown",
    "the address leads to AI",
    "core: another's",
    "core: a changed file",
    "ai: an old backup",
    "a dump of another",
    "all below our code",
    "a repository by a link",
    "our repository",
    "a repository on the way to a backup",
}
# Of each condition one; what else it may find is shown by asking it alone.
EXECUTED = {
    "the address leads to Core",
    "rolled back",
    "a rollback was killed",
    "the date is to come",
    "AI was made anew",
    "never verified",
    "somebody is connected",
    "somebody has read",
    "somebody has written past the lock",
    "a table is not locked",
    "the address leads to a copy",
    "it is marked as one of ours",
    "a role without rights",
    "core: no backup",
    "ai: no backup",
    "a dump that is gone",
    "our code",
    "a repository elsewhere",
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=soaked_unless(case.name in EXECUTED)) for case in CASES],
    ids=lambda case: case.name,
)
def test_it_is_refused_for_that_and_nothing_is_touched(
    world: World, pristine: dict[str, Any], plan_id: str, case: Case
) -> None:
    # What is wrong is mended before anything is asserted, so that no case spoils the next; and so
    # what is found to be untouched afterwards was not touched meanwhile.
    with case.damage(world) as different:
        refusal = _refusal(world.scene(**{**case.scene, **(different or {})}), plan_id)
    found = re.fullmatch(r"not cleaned up, ([^:]+): .+?(?: \(and \d+ more: (.+)\))?", str(refusal))
    assert found is not None, refusal
    assert {found[1], *(found[2] or found[1]).split(", ")} == case.unmet
    assert case.says in str(refusal)
    assert isinstance(refusal, RefusedError)
    assert {**pristine, **world.surroundings()} == pristine


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=soaked_unless(case.name not in AT_LENGTH))
        for case in CASES
        if case.name not in EXECUTED
    ],
    ids=lambda case: case.name,
)
def test_each_condition_asked_alone_says_why(world: World, plan_id: str, case: Case) -> None:
    with case.damage(world) as different:
        facts = Facts(world.scene(**{**case.scene, **(different or {})}))
        found = [asked(name, CONDITIONS[name], facts) for name in sorted(case.unmet)]
    assert [one.condition for one in found if one.met] == []
    assert case.says in " ".join(one.reason for one in found)


def _refusal(scene: Scene, plan_id: str) -> Exception | None:
    try:
        execute_cleanup(scene, plan_id)
    except SigmaSightError as error:
        return error
    return None


@pytest.mark.parametrize(
    "lock", [exclusive_run, *soaked(exclusive_rebuild)], ids=["phase", "rebuild"]
)
def test_it_waits_for_no_other_run(
    world: World, plan_id: str, lock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.books.run_lock.WAIT_SECONDS", 0.2)
    before = world.surroundings()
    with lock(world.core):
        (unmet,) = plan_cleanup(world.scene()).unmet
        assert unmet.condition == "nothing else running"
        with pytest.raises(BusyError):
            execute_cleanup(world.scene(), plan_id)
    assert world.surroundings() == before


@contextmanager
def _more_files(world: World) -> Iterator[str]:
    file = world.root / "dumps" / "new.sql"
    file.touch()
    yield f"file {file}"
    file.unlink()


@contextmanager
def _changed_file(world: World) -> Iterator[str]:
    file = world.root / "dumps" / "old.dump"
    kept, status = file.read_text(), file.stat()
    file.write_text("more than before")
    yield f"file {file}"
    file.write_text(kept)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def _changed_repository(world: World) -> Iterator[str]:
    file = world.root / "dumps" / "repository" / "more.py"
    file.touch()
    yield "repository"
    file.unlink()


@contextmanager
def _another_service(world: World) -> Iterator[str]:
    file = world.stack.file
    kept = file.read_text()
    file.write_text(json.dumps({**json.loads(kept), "goes": {"Railway service Postgres": "9f"}}))
    yield "stack"
    file.write_text(kept)


@pytest.mark.parametrize(
    "move", [_changed_file, _another_service, *soaked(_more_files, _changed_repository)]
)
def test_what_has_moved_since_the_dry_run_is_named(world: World, plan_id: str, move: Any) -> None:
    with move(world) as named:
        before = world.surroundings()
        refusal = _refusal(world.scene(), plan_id)
        after = world.surroundings()
    assert f"since plan {plan_id} this has moved" in str(refusal)
    assert named in str(refusal)
    assert after == before


def test_a_plan_that_was_never_shown_is_refused(world: World, plan_id: str) -> None:
    before = world.surroundings()
    with pytest.raises(RefusedError, match="no dry run has shown a plan 000000000000"):
        execute_cleanup(world.scene(), "000000000000")
    assert world.surroundings() == before


def test_what_only_waits_can_be_approved_beforehand_and_nothing_else(
    world: World, plan_id: str
) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).date()
    waiting = plan_cleanup(world.scene(given_date=later))
    assert waiting.plan_id is not None
    assert not waiting.executable
    assert plan_cleanup(world.scene(legacy=world.core)).plan_id is None


def test_a_swap_that_was_not_shown_the_servers_identifier_left_the_same_database(
    world: World, plan_id: str
) -> None:
    known = "UPDATE ops.cutovers SET legacy = legacy || {}"
    kept = (
        f"jsonb_build_object('system_identifier', '{identity(world.legacy)['system_identifier']}')"
    )
    hidden = kept.replace("r', '", "r', 'not shown by the server; oldest relation ")
    with changed(world, world.core, known.format(hidden), known.format(kept)):
        assert [one for one in plan_cleanup(world.scene()).findings if not one.met] == []


def test_mended_everything_holds_again(
    world: World, pristine: dict[str, Any], plan_id: str
) -> None:
    assert world.everything() == pristine, "no row of the old database was touched either"
    plan = plan_cleanup(world.scene())
    assert [one for one in plan.findings if not one.met] == []
    assert plan.plan_id is not None
