"""The fence of Core and AI: a process of the backend that was stopped before a rollback writes
nothing there when it wakes, and whoever works on the pair goes on."""

from contextlib import closing

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.backend.pair_fence import pair_fence
from ops.backend.trial import new_pair_at
from ops.connection import connect, conninfo
from ops.drift import drift_of_pair
from ops.embedded.server import EmbeddedServer
from ops.errors import BusyError, RefusedError
from ops.write_lock.fence import fence_off, is_fenced, lift_fence, tables_to_fence
from tests.databases import NewDatabase
from tests.integration.copy.owned_world import A_USER, ID
from tests.integration.cutover.conftest import As, Ask, MakeSystem
from tests.integration.cutover.locking import EVERYTHING
from tests.integration.cutover.small_system import SmallSystem
from tests.integration.cutover.stand_in_switch import StandInSwitch

FENCED = r"refused: this database is fenced off since the rollback"
TAG = f"INSERT INTO tags_v2 (id, user_id, name) VALUES ('{ID}d1', '{A_USER}', 'late')"
MEMORY = (
    "INSERT INTO ai_memories (id, scope, tags, content)"
    f" VALUES ('{ID}d2', 'global', '{{}}', 'late')"
)
UNTAG, FORGET = (
    f"DELETE FROM {table} WHERE id = '{ID}{key}'"
    for table, key in (("tags_v2", "d1"), ("ai_memories", "d2"))
)


def backend(url: URL) -> psycopg.Connection:
    """A session as the backend has it, under no name of ours."""
    return psycopg.connect(conninfo(url))


def is_refused(url: URL, command: str) -> None:
    with closing(backend(url)) as late, pytest.raises(psycopg.Error, match=FENCED) as refused:
        late.execute(command.encode())
    assert refused.value.sqlstate == "SGW01"


def takes_writes(system: SmallSystem) -> None:
    assert not system.new_is_fenced()
    for url, write, undo in ((system.core, TAG, UNTAG), (system.ai, MEMORY, FORGET)):
        with closing(backend(url)) as session:
            session.execute(write.encode())
            session.execute(undo.encode())
            session.commit()


# On chosen tables of a database of many shapes


def fence(url: URL) -> None:
    with connect(url, application_name="tests") as session:
        fence_off(session, tables_to_fence(session, {"plain", "child"}))


def test_chosen_tables_are_fenced_off_and_opened_as_they_were(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    before, app = ask(lockable, EVERYTHING), as_role(lockable, "lock_app")
    for _ in range(2):
        fence(lockable)
        for url in (lockable, app):
            is_refused(url, "INSERT INTO plain (name) VALUES ('late')")
        is_refused(app, "UPDATE child SET note = 'late'")
        with closing(backend(app)) as other:
            other.execute("DELETE FROM parts")
        ask(lockable, "UPDATE plain SET name = name")
        fence(lockable)
        assert is_fenced(lockable, lockable)
        lift_fence(lockable, lockable)
        assert ask(lockable, EVERYTHING) == before


def test_who_is_in_the_middle_of_a_write_is_ended_where_the_owner_may(
    server: EmbeddedServer,
    lockable: URL,
    as_role: As,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.write_lock.fence.PATIENCE_SECONDS", 0.1)
    above = server.url(str(lockable.database))
    with closing(backend(as_role(lockable, "lock_app"))) as late:
        late.execute("INSERT INTO plain (name) VALUES ('late')")
        with pytest.raises(BusyError, match=r"cannot be locked: session \d+ .* uses 'plain'"):
            fence(lockable)
        assert not is_fenced(lockable, lockable)
        ask(above, "GRANT lock_app TO lock_owner")
        fence(lockable)
        ask(above, "REVOKE lock_app FROM lock_owner")
        with pytest.raises(psycopg.OperationalError):
            late.commit()
    assert ask(lockable, "SELECT name FROM plain") == [("kept",)]


def test_a_pair_in_one_database_is_fenced_off_once(
    new_database: NewDatabase, core_template: str, ask: Ask
) -> None:
    shared = new_database(core_template)
    ask(shared, "CREATE TABLE ai_memories (id uuid, scope text, tags jsonb, content text)")
    with pair_fence(shared, shared) as both:
        both.put_up(10.0)
        both.commit()
    is_refused(shared, MEMORY)
    is_refused(shared, UNTAG)


# In an installation


@pytest.fixture(scope="module")
def shared(make_system: MakeSystem) -> SmallSystem:
    return make_system()


@pytest.fixture
def system(shared: SmallSystem) -> SmallSystem:
    """After a swap."""
    assert shared.swap().active == "new"
    return shared


def test_after_a_rollback_nothing_late_is_written_and_whoever_works_on_the_pair_goes_on(
    system: SmallSystem,
) -> None:
    rows = system.rows("new")
    with closing(backend(system.core)) as core, closing(backend(system.ai)) as ai:
        core.execute(TAG.encode())
        ai.execute(MEMORY.encode())
        report = system.rollback()  # at no price: nothing of it was acknowledged
        steps = list(report.seconds)
        assert steps.index("flip") < steps.index("commit the fence") < steps.index("open legacy")
        for late in (core, ai):
            with pytest.raises(psycopg.OperationalError):
                late.commit()
    is_refused(system.core, TAG)
    is_refused(system.ai, MEMORY)
    assert system.rows("new") == rows

    # The phases go on beside the fence.
    assert drift_of_pair(system.core, system.ai) == []
    told = "SELECT DISTINCT description FROM tags_v2"
    system.ask(system.old, "UPDATE tags_v2 SET description = 'told on the old pair'")
    system.copy()
    assert system.ask(system.core, told) == [("told on the old pair",)]
    system.ask(system.core, "UPDATE portfolios SET equity_balance = equity_balance")

    # The pair is tried without it, and the next swap takes it off.
    assert system.new_is_fenced()
    assert (fenced_at_a_trial(system), system.new_is_fenced()) == ([False], True)
    assert system.swap().active == "new"
    takes_writes(system)


def fenced_at_a_trial(system: SmallSystem) -> list[bool]:
    """What is found when a trial of the new pair begins."""
    seen: list[bool] = []

    def look(*_: object) -> str:
        seen.append(system.new_is_fenced())
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.backend.trial.begin_trial", look)
        with new_pair_at(system.core, system.ai, "old", "http://127.0.0.1:9"):
            takes_writes(system)
    return seen


def test_a_rollback_that_fails_leaves_the_new_pair_to_its_users(system: SmallSystem) -> None:
    def fail() -> None:
        raise RefusedError("stopped by the test")

    for step in ("fence the new pair", "commit the fence", "ask the public address"):
        with pytest.raises(RefusedError, match="stopped by the test"):
            system.rollback(then={step: fail})
        assert (system.serving(), system.legacy_is()) == ("new", "locked"), step
        takes_writes(system)


def test_a_fence_that_could_not_be_lifted_is_by_the_next_command(system: SmallSystem) -> None:
    with connect(system.ai, application_name="tests") as session:
        fence_off(session, tables_to_fence(session, {"ai_memories"}))
    assert system.swap().recovered == "the new pair was opened to writes, since it serves"
    takes_writes(system)


def test_a_change_that_cannot_be_undone_says_that_it_stands(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test: the old pair serves then."""

    def refuse(*_: object) -> None:
        raise RefusedError("no backend is at the gate")

    def fail() -> None:
        monkeypatch.setattr(StandInSwitch, "hold", refuse)
        raise RefusedError("stopped by the test")

    said = r"^the pair has changed, and stays so, but stopped by the test \(.*no backend.*again"
    with pytest.raises(RefusedError, match=said):
        system.rollback(then={"ask the public address": fail})
    monkeypatch.undo()
    assert (system.serving(), system.legacy_is()) == ("old", "open")
    assert "was finished" in str(system.rollback().recovered)
