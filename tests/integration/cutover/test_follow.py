"""The old database is kept current after a swap, and the quiet that a cleanup wants begins with the
last follow that wrote."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ops.backup.content import Content, content_of
from ops.books import run_lock
from ops.carrying import carry_back
from ops.cleanup.conditions import CONDITIONS
from ops.cleanup.facts import Facts
from ops.cleanup.folders import Rules
from ops.cleanup.scene import Scene
from ops.connection import connect
from ops.cutover.follow import swap_to_follow
from ops.errors import BusyError, RefusedError
from ops.legacy_access.account import access_evidence, recorded_access
from tests.integration.copy.owned_world import A_USER
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.small_system import SmallSystem, Then

QUIET = ("no connections", "no reads since the swap", "no writes since the swap", "writes locked")
_TAGS = "SELECT name FROM tags_v2 WHERE description = 'by a user'"
_MEMORIES = "SELECT content FROM ai_memories WHERE scope = 'global'"


@pytest.fixture(scope="module")
def swapped(make_system: MakeSystem) -> SmallSystem:
    system = make_system()
    assert system.swap().active == "new"
    return system


@pytest.fixture
def system(swapped: SmallSystem) -> Iterator[SmallSystem]:
    """A swap in force whose old database is current, and may be followed."""
    yield swapped
    swapped.ask(swapped.core, "DELETE FROM ops.follow_ends")
    write(swapped)
    assert swapped.follow().warning is None
    assert old_holds(swapped) == (set(), set())


def write(system: SmallSystem, *names: str) -> None:
    """A user leaves these tags alone, and a memory of each."""
    for table, where, url in (
        ("tags_v2", "description = 'by a user'", system.core),
        ("ai_memories", "scope = 'global'", system.ai),
    ):
        system.ask(url, f"DELETE FROM {table} WHERE {where}")
    for name in names:
        system.ask(
            system.core,
            "INSERT INTO tags_v2 (id, user_id, name, description)"
            f" VALUES (gen_random_uuid(), '{A_USER}', '{name}', 'by a user')",
        )
        system.ask(
            system.ai,
            "INSERT INTO ai_memories (id, scope, tags, content)"
            f" VALUES (gen_random_uuid(), 'global', '{{}}', '{name}')",
        )


def old_holds(system: SmallSystem) -> tuple[set[str], set[str]]:
    """The tags and the memories there, looked at without being taken for a stranger."""
    with recorded_access(system.core, system.old, "tests"):
        tags, memories = system.ask(system.old, _TAGS), system.ask(system.old, _MEMORIES)
    return {name for (name,) in tags}, {text for (text,) in memories}


def old_content(system: SmallSystem) -> Content:
    with (
        recorded_access(system.core, system.old, "tests"),
        connect(system.old, application_name="tests", read_only=True) as session,
    ):
        return content_of(session)


def window(system: SmallSystem) -> datetime:
    since = access_evidence(system.core, system.old).since
    assert since is not None
    return since


def unmet(system: SmallSystem, days: float) -> set[str]:
    """Which of the cleanup's conditions would not hold in so many days."""
    scene = Scene(
        core=system.core,
        ai=system.ai,
        legacy=system.old,
        maintenance=system.old.set(database="postgres"),
        state=system.state,
        rules=Rules(folders=(), recursive=False, repository=None, spared=()),
        active=system.active,
        now=datetime.now(UTC) + timedelta(days=days),
    )
    facts = Facts(scene)
    return {name for name in QUIET if not CONDITIONS[name](facts).met}


def test_the_old_database_is_current_until_the_end_and_quiet_from_then_on(
    system: SmallSystem,
) -> None:
    write(system, "first", "second")
    before = window(system)
    report = system.follow()
    assert (report.warning, report.ended_at) == (None, None)
    assert old_holds(system) == ({"first", "second"}, {"first", "second"})
    assert window(system) > before
    with pytest.raises(psycopg.Error, match="locked against writes"):
        system.ask(system.old, "UPDATE tags_v2 SET name = 'a stranger''s'")

    write(system, "last")
    ended_at = system.follow(end=True).ended_at
    assert ended_at is not None
    write(system, "later")
    report = system.follow()
    assert (report.price, report.ended_at) == (None, ended_at)
    assert f"was ended on {ended_at:%d %B %Y}" in "".join(report.lines())
    assert old_holds(system) == ({"last"}, {"last"})

    assert unmet(system, days=6.9) == {"no reads since the swap"}
    assert unmet(system, days=7.1) == set()
    system.ask(system.old, _TAGS)
    assert unmet(system, days=7.1) == {"no reads since the swap"}


def test_a_follow_with_nothing_to_write_leaves_quiet_and_dump_as_they_were(
    system: SmallSystem,
) -> None:
    since, content = window(system), old_content(system)
    report = system.follow()
    assert list(report.lines()) == ["carried back 0 rows that users wrote"]
    assert (window(system), old_content(system)) == (since, content)


def test_what_the_old_database_cannot_hold_is_named_and_left(system: SmallSystem) -> None:
    write(system, "mine", "yours")  # the old database's own rule is against the first
    report = system.follow()
    assert report.price is not None
    assert report.price.by_table == {"tags_v2": 1}
    assert "cannot hold 1 rows (tags_v2 1; " in (report.warning or "")
    assert old_holds(system) == ({"yours"}, {"mine", "yours"})
    since = window(system)
    assert system.follow().warning == report.warning
    assert window(system) == since, "nothing was written by it"


# Days to the cleanup: what is carried, and whether that was the last time.
ENDINGS = {8.1: ({"new"}, False), 7.9: ({"new"}, True), 6.9: (set[str](), True)}


@pytest.mark.parametrize("days", ENDINGS)
def test_it_ends_by_itself_eight_days_before_the_cleanup(system: SmallSystem, days: float) -> None:
    carried, ends = ENDINGS[days]
    write(system, "new")
    report = system.follow(days_to_cleanup=days)
    assert old_holds(system) == (carried, carried)
    assert (report.ended_at is not None) == ends


def test_one_that_was_killed_is_made_good_by_the_next(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the old database has the rows and Core does not know; then users go on."""
    write(system, "first")

    def killed(then: Then) -> None:
        monkeypatch.setattr(carry_back, "_see_now", lambda _core, seen: seen and then["noted"]())
        system.follow()

    assert system.killed_after("noted", killed)
    assert not access_evidence(system.core, system.old).known
    write(system, "second")
    assert system.follow().warning is None
    assert old_holds(system) == ({"second"}, {"second"})
    assert unmet(system, days=7.1) == set()


def test_none_goes_on_beside_a_rollback_or_after_a_killed_one(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "WAIT_SECONDS", 0.1)

    def busy() -> None:
        with pytest.raises(BusyError):
            system.follow()

    system.follow(end=True)
    write(system, "later")
    assert system.killed_after("ask it", system.rollback)
    with pytest.raises(RefusedError, match="run `sigmasight rollback` again"):
        system.follow()
    assert system.rollback(then={"carry back": busy}).lost == 0
    assert swap_to_follow(system.core) is None
    assert {name for (name,) in system.ask(system.old, _TAGS)} == {"later"}

    assert system.swap().changed
    assert system.follow().ended_at is None, "of this swap it is not ended"
