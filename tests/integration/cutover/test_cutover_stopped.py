"""A rollback or a follow that is stopped at any of its statements, and wakes once another run has
rolled back and users went on: it changes nothing any more."""

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.groups import soaked
from tests.integration.copy.owned_world import A_USER
from tests.integration.cutover.conftest import MakeSystem
from tests.integration.cutover.small_system import SmallSystem

WRITE = (
    "INSERT INTO tags_v2 (id, user_id, name, description)"
    f" VALUES ('{{0}}', '{A_USER}', '{{0}}', 'on the new pair')"
)
EDIT = "UPDATE tags_v2 SET description = 'by a user of the old pair' WHERE id = '{}'"
SAYS = "SELECT description FROM tags_v2 WHERE id = '{}'"
# As when the network goes: the run's own lock is free, its other sessions are as they were.
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
Command = Callable[[SmallSystem], object]
COMMANDS: dict[str, Command] = {"rollback": SmallSystem.rollback, "follow": SmallSystem.follow}
# Before the fence, in the carrying, before and after the pair changes; all others of the first
# hundreds by `make soak`.
STATEMENTS = [60, *soaked(*range(1, 400, 7))]


@pytest.fixture(scope="module")
def system(make_system: MakeSystem) -> SmallSystem:
    return make_system()


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("name", ["rollback", *soaked("follow")])
def test_who_was_stopped_writes_nothing_after_another_rollback(
    system: SmallSystem, name: str, statement: int
) -> None:
    row = uuid4()
    system.swap()
    system.ask(system.core, WRITE.format(row))
    with stopped_at(statement, COMMANDS[name], system) as stopped:
        if stopped:
            system.ask(system.core, CUT_OFF)
        assert system.rollback().lost == 0
        system.ask(system.old, EDIT.format(row))
    assert system.ask(system.old, SAYS.format(row)) == [("by a user of the old pair",)]
    assert (system.active(), system.serving(), system.legacy_is()) == ("old", "old", "open")
    assert system.swap().changed
    assert system.ask(system.core, SAYS.format(row)) == [("by a user of the old pair",)]
    system.rollback()


@contextmanager
def stopped_at(statement: int, command: Command, system: SmallSystem) -> Iterator[bool]:
    """A process that runs the command is stopped before its n-th statement, and goes on to its end
    when the block ends. Whether it came so far."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the backend is a thread
        child = os.fork()
    if child == 0:
        _stop_before(statement)
        try:
            command(system)
        finally:
            os._exit(0)
    stopped = os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
    try:
        yield stopped
    finally:
        if stopped:
            os.kill(child, signal.SIGCONT)
            os.waitpid(child, 0)


def _stop_before(statement: int) -> None:
    execute, count = psycopg.Cursor.execute, 0

    def counted(cursor: Any, *args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == statement:
            os.kill(os.getpid(), signal.SIGSTOP)
        return execute(cursor, *args, **options)

    psycopg.Cursor.execute = counted  # type: ignore[method-assign]
