"""Users wait no longer than they may, whatever stalls: the pair of before serves, legacy is as it
was and the command says so in one line. The tests go on from one another, as commands do."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from ops.connection import connect, end_in_time
from ops.copy.table_state import Look
from ops.cutover import swap as swap_module
from ops.cutover.forecast import in_words
from ops.cutover.lock_rehearsal import LockRehearsal
from ops.cutover.rollback import RollbackSteps
from ops.errors import BusyError, DatabaseUnavailableError, RefusedError, SigmaSightError
from ops.write_lock.lock import lock_writes
from tests.groups import soaked
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.small_system import SmallSystem
from tests.integration.serving.starting import eventually
from tests.stalling import StallingProxy, stalling_proxy

MENDED = "legacy was locked, since the new pair serves"
_MOST = 2.0


@pytest.fixture(scope="module")
def system(make_system: MakeSystem) -> SmallSystem:
    return make_system()


@pytest.fixture
def proxy(system: SmallSystem, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingProxy]:
    monkeypatch.setattr("ops.open_connections.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("ops.connection.CONNECT_TIMEOUT_SECONDS", 2)
    with stalling_proxy(system.old) as proxy:
        yield proxy


@pytest.fixture
def behind(
    system: SmallSystem, proxy: StallingProxy, monkeypatch: pytest.MonkeyPatch
) -> SmallSystem:
    """The installation as a command sees it whose legacy lies behind the proxy, and which does not
    foresee that it will stall."""
    monkeypatch.setattr(swap_module, "rehearse_lock", lambda _one: LockRehearsal(()))
    return replace(system, legacy=proxy.url, max_hold=_MOST)


@pytest.mark.soak
def test_a_copy_whose_legacy_stalls_ends_in_one_line(
    system: SmallSystem, behind: SmallSystem, proxy: StallingProxy
) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"went away|no PostgreSQL server answers"):
        behind.swap(then={"first delta": proxy.stall})
    assert system.serving() == "old"


@pytest.mark.parametrize(("step", "new"), [*soaked(("lock legacy", False)), ("final delta", True)])
def test_a_swap_whose_legacy_stalls_is_none(
    system: SmallSystem, behind: SmallSystem, proxy: StallingProxy, step: str, new: bool
) -> None:
    before = system.everything()
    said = rf"^not swapped, users waited {_MOST} s \(.*--max-hold$"
    with pytest.raises(RefusedError, match=said):
        behind.swap(then={step: lambda: proxy.stall(new=new)})
    eventually(lambda: system.legacy_is() == "open")
    assert system.everything() == before


@pytest.mark.parametrize("step", ["parity and price", *soaked("flip")])
def test_a_commit_whose_answer_is_lost_leaves_lock_and_pair_agreeing(
    system: SmallSystem, behind: SmallSystem, proxy: StallingProxy, step: str
) -> None:
    """What is sent arrives, what is answered does not. Once the pair has changed the swap may end
    either way: it is undone, unless the hold is over by then."""
    system.rollback()
    with suppress(SigmaSightError):
        behind.swap(then={step: lambda: proxy.stall(answers_only=True)})
    assert system.serving() == system.active()
    assert step == "flip" or system.active() == "old"
    assert system.swap().active == "new"
    assert (system.serving(), system.legacy_is()) == ("new", "locked")


@pytest.mark.soak
def test_a_rollback_whose_legacy_stalls_is_none(
    system: SmallSystem, behind: SmallSystem, proxy: StallingProxy
) -> None:
    assert system.swap().active == "new"
    with pytest.raises(RefusedError, match=rf"^not rolled back, users waited {_MOST} s"):
        behind.rollback(then={"carry the rest back": proxy.stall})
    # What the move reads stays locked; the rest is what the next command locks again.
    eventually(lambda: (system.serving(), system.legacy_is()) == ("new", "partial"))
    assert system.swap().recovered == MENDED
    assert (system.serving(), system.legacy_is()) == ("new", "locked")


@pytest.mark.soak
def test_what_could_not_be_locked_again_is_by_the_next_command(
    system: SmallSystem, behind: SmallSystem, proxy: StallingProxy
) -> None:
    def go_away() -> None:
        proxy.stall()
        raise RefusedError("stopped by the test")

    assert system.swap().active == "new"
    patient = replace(behind, max_hold=30.0)
    with pytest.raises(DatabaseUnavailableError, match="no PostgreSQL server answers"):
        patient.rollback(then={"open legacy": go_away})
    assert (system.serving(), system.legacy_is()) == ("new", "open")
    assert system.swap().recovered == MENDED
    assert (system.serving(), system.legacy_is()) == ("new", "locked")


def test_what_is_late_once_the_pair_has_changed_is_finished_without_a_hold(
    system: SmallSystem,
) -> None:
    assert system.rollback().active == "old"
    most = 2 * _MOST  # until the flip there must be time on a busy machine
    hurried = replace(system, max_hold=most)
    report = hurried.swap(then={"flip": lambda: time.sleep(most)})
    assert (report.active, report.changed, report.held_seconds) == ("new", True, most)
    assert (system.serving(), system.legacy_is()) == ("new", "locked")
    assert system.cutovers()[-1] == ("swap", "done")


def test_who_reads_legacy_is_in_a_rollbacks_way_before_the_pair_changes(
    system: SmallSystem,
) -> None:
    flipped: list[bool] = []
    with connect(system.old, application_name="reader") as reader:
        reader.execute("SELECT FROM users")
        with pytest.raises(BusyError, match=r"\(sigmasight reader\) uses 'users'"):
            replace(system, max_hold=3 * _MOST).rollback(
                then={"flip": lambda: flipped.append(True)}
            )
    assert (flipped, system.serving(), system.legacy_is()) == ([], "new", "locked")


def test_what_could_not_be_unlocked_is_by_the_next_command(system: SmallSystem) -> None:
    """As when legacy could not be asked whether the lock was committed."""
    assert system.rollback().active == "old"
    with connect(system.old, application_name="tests") as session:
        lock_writes(session)
    assert system.rollback().recovered == "legacy was unlocked, since the old pair serves"
    assert (system.serving(), system.legacy_is()) == ("old", "open")


def test_while_users_wait_nothing_is_connected_to_and_no_table_is_looked_through_twice(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it holds, and whatever is compared. And no cutover asks what a backend would
    lock somebody out for, however many follow one another."""
    connected, held, real_connect = list[str](), list[int](), psycopg.connect
    looked, tables, real_query = list[int](), list[int](), Look.query

    def counted(conninfo: str, **settings: Any) -> psycopg.Connection:
        connected.append(settings["application_name"])
        return real_connect(conninfo, **settings)

    def counted_look(look: Look, name: str) -> Any:
        looked.append(look.relation.oid)
        return real_query(look, name)

    def begin() -> None:
        system.ask(system.old, "UPDATE users SET full_name = 'Late'")
        connected.clear()

    monkeypatch.setattr(psycopg, "connect", counted)
    monkeypatch.setattr(Look, "query", counted_look)
    [(users,)] = system.ask(system.old, "SELECT 'users'::regclass::oid::bigint")
    system.backend.turned_away.clear()
    waited = {"release": lambda: held.append(len(connected))}
    system.swap(
        then={
            "hold requests": begin,
            "lock legacy": looked.clear,
            "commit the lock": lambda: tables.extend(looked),
            **waited,
        }
    )
    assert {*system.ask(system.core, "SELECT full_name FROM users")} == {("Late",)}
    system.rollback(then={"hold requests": connected.clear, **waited})
    assert (held, tables.count(users), system.backend.turned_away) == ([0, 0], 1, [])


def test_the_lock_of_a_command_that_was_stopped_is_ended_by_the_server(system: SmallSystem) -> None:
    lock = connect(system.old, application_name="tests")
    end_in_time(lock, 0.5)
    lock_writes(lock)
    system.ask(system.old, "UPDATE users SET email = email")  # waits for it
    with pytest.raises(psycopg.Error, match="timeout"):
        lock.commit()
    lock.close()
    assert system.legacy_is() == "open"


def test_a_swap_for_which_users_would_wait_too_long_is_refused_before_they_do(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where very much has to be locked. It is tried with a second, short delta before."""
    steps, before = list[str](), system.everything()
    monkeypatch.setattr(swap_module, "rehearse_lock", lambda _one: LockRehearsal((), 60.0))
    then = {step: partial(steps.append, step) for step in ("parity again", "hold requests")}
    said = (
        r"^not swapped: users would wait 6\d\.\d\d s or longer \(lock legacy 60\.00 s, final delta "
        r"\S+ s, parity and price \S+ s\), and may for 30\.00 s; .*--max-hold$"
    )
    with pytest.raises(RefusedError, match=said):
        system.swap(then=then)
    assert steps == ["parity again"]
    assert system.everything() == before


def test_a_lock_that_alone_takes_too_long_is_refused_by_the_conditions(system: SmallSystem) -> None:
    before = system.everything()
    with pytest.raises(RefusedError, match=r"locking and proving legacy alone takes longer than"):
        replace(system, max_hold=0.01).swap()
    assert system.everything() == before


def test_a_long_first_delta_is_not_held_against_a_hold_that_would_be_short(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a week had left, and what users write meanwhile."""
    late, real = [0.0], swap_module.copy_delta

    def long_delta(*databases: Any, **how: Any) -> None:
        late[0] += 60.0
        real(*databases, **how)

    monkeypatch.setattr(swap_module, "copy_delta", long_delta)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0])
    monkeypatch.setattr("ops.cutover.steps.time", clock)
    report = system.swap()
    assert report.active == "new"
    assert report.seconds["first delta"] > 60 > report.seconds["delta again"]
    system.rollback()


@pytest.mark.parametrize("slow", [*soaked(1), 2])
def test_a_rollback_is_refused_before_users_wait_if_a_second_carrying_takes_too_long_too(
    system: SmallSystem, monkeypatch: pytest.MonkeyPatch, slow: int
) -> None:
    assert system.swap().active == "new"
    late, real = [0.0], RollbackSteps._carry

    def long_carrying(*how: Any) -> int:
        late.append(late[-1] + 60.0 * (len(late) <= slow))
        return real(*how)

    monkeypatch.setattr(RollbackSteps, "_carry", long_carrying)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[-1])
    monkeypatch.setattr("ops.cutover.steps.time", clock)
    if slow == 1:
        report = system.rollback()
        assert report.seconds["carry back"] > 60 > report.seconds["carry again"]
        return
    said = (
        r"^not rolled back: users would wait 6\d\.\d\d s or longer \(carry the rest back "
        r"6\d\.\d\d s\), and may for 30\.00 s; roll back when .*--max-hold$"
    )
    with pytest.raises(RefusedError, match=said):
        system.rollback(then={"hold requests": lambda: pytest.fail("users waited")})
    assert (system.serving(), system.legacy_is()) == ("new", "locked")
    assert re.match(r"users would wait \d\.", in_words(system.plan_rollback().forecast))
    monkeypatch.undo()
    system.rollback()


def test_who_uses_a_table_while_the_lock_is_rehearsed_is_named_and_no_reason(
    system: SmallSystem,
) -> None:
    with connect(system.old, application_name="writer") as writer:
        writer.execute("UPDATE users SET email = email")
        found = {one.condition: one for one in system.plan_swap().conditions}
    assert found["the lock fits"].met
    assert "(sigmasight writer) uses 'users'" in found["the lock fits"].reason
    assert found["all can be locked"].met, "its catalogue is read all the same"
