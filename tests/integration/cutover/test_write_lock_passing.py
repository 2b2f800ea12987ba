"""One transaction writes to a locked database, while everybody else stays locked out."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect, writing_session
from ops.errors import RefusedError
from ops.write_lock.lock import (
    CARRYING,
    lock_and_prove,
    lock_epoch,
    lock_state,
    release_any_lock,
)
from ops.write_lock.passing import let_through
from tests.integration.cutover.conftest import As, Ask
from tests.integration.cutover.locking import EVERYTHING, REFUSED, lock, outcomes, prove

WRITES = (
    "INSERT INTO plain (name) VALUES ('carried')",
    "UPDATE plain SET name = 'changed' WHERE name = 'kept'",
    "DELETE FROM parts WHERE day < '2025-01-01'",
    "COPY child FROM STDIN",
    "TRUNCATE scratch",
)
NAMES = "SELECT name FROM plain ORDER BY name"


def epoch_of(url: URL) -> datetime:
    with connect(url, application_name="tests") as session:
        found = lock_epoch(session)
    assert found is not None
    return found


@contextmanager
def carrier(url: URL) -> Iterator[psycopg.Connection]:
    """A session that has been let through; who uses it commits or not."""
    epoch = epoch_of(url)
    with writing_session(url, CARRYING) as session, let_through(session, epoch):
        yield session


def write(session: psycopg.Connection, command: str) -> None:
    with session.cursor() as cursor:
        if command.startswith("COPY"):
            with cursor.copy(command.encode()):
                pass
        else:
            cursor.execute(command.encode())


def is_refused(url: URL, command: str = WRITES[0]) -> None:
    with connect(url, application_name="tests") as session:
        session.execute("SET lock_timeout = '5s'")
        with pytest.raises(psycopg.Error) as refused:
            write(session, command)
        session.rollback()
    assert refused.value.sqlstate in ("SGW01", "42501")


def test_one_transaction_writes_and_everybody_else_is_refused_meanwhile(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    lock(lockable)
    with carrier(lockable) as session:
        for command in WRITES[:4]:  # while a table is truncated, others wait
            write(session, command)
        for command in WRITES[:4]:
            is_refused(lockable, command)
            is_refused(as_role(lockable, "lock_app"), command)
        with connect(lockable, application_name="tests") as other:
            assert "trigger" in outcomes(prove(other))
        write(session, WRITES[4])
        ask(lockable, NAMES)  # readers do not wait
    assert ask(lockable, NAMES) == [("carried",), ("changed",)]
    assert lock_state(lockable).state == "locked"
    lock_and_prove(lockable)


def test_nobody_passes_when_the_transaction_has_ended(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    for end in ("rollback", "failure", "savepoint", "commit"):
        passes_until(lockable, end)
        carried = [("carried",)] if end == "commit" else []
        assert ask(lockable, NAMES) == [*carried, ("kept",)], end
        assert ask(lockable, "SELECT passing FROM sigmasight_cutover.lock") == [(None,)], end


def passes_until(lockable: URL, end: str) -> None:
    """Write beside the lock until the transaction ends so, and be refused in the next."""
    with writing_session(lockable, CARRYING) as session:
        epoch = epoch_of(lockable)
        if end == "savepoint":
            with session.transaction(force_rollback=True), let_through(session, epoch):
                write(session, WRITES[0])
        elif end == "failure":
            with pytest.raises(psycopg.errors.DivisionByZero), let_through(session, epoch):
                session.execute("SELECT 1 / 0")
            session.rollback()
        else:
            with let_through(session, epoch):
                write(session, WRITES[0])
            with pytest.raises(psycopg.Error, match=REFUSED), session.transaction():
                write(session, WRITES[0])
            getattr(session, end)()
        with pytest.raises(psycopg.Error, match=REFUSED):
            write(session, WRITES[0])
        session.rollback()


def test_a_failed_write_leaves_the_pass_until_the_block_ends(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    with carrier(lockable) as session:
        with pytest.raises(psycopg.errors.ForeignKeyViolation), session.transaction():
            session.execute("INSERT INTO child VALUES (77, 'no such parent')")
        with pytest.raises(psycopg.errors.NotNullViolation), session.transaction():
            session.execute("INSERT INTO plain (name) VALUES (NULL)")
        write(session, WRITES[0])
    assert ask(lockable, NAMES) == [("carried",), ("kept",)]


@pytest.mark.parametrize("made_anew", [False, True], ids=["released", "made anew"])
def test_the_lock_that_it_began_with_is_the_one_that_counts(
    lockable: URL, ask: Ask, made_anew: bool
) -> None:
    lock(lockable)
    epoch = epoch_of(lockable)
    release_any_lock(lockable)
    if made_anew:
        lock(lockable)
    before = ask(lockable, EVERYTHING)
    with (
        pytest.raises(RefusedError, match="not under the lock that this began with"),
        writing_session(lockable, CARRYING) as session,
        let_through(session, epoch),
    ):
        write(session, WRITES[0])
    assert ask(lockable, EVERYTHING) == before
    assert ask(lockable, NAMES) == [("kept",)]


def test_who_was_stopped_cannot_commit_after_a_release(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    with carrier(lockable) as session:
        write(session, WRITES[1])
        release_any_lock(lockable)
        ask(lockable, "UPDATE plain SET name = 'the user has it'")
        with pytest.raises(psycopg.OperationalError):
            session.commit()
    assert ask(lockable, NAMES) == [("the user has it",)]
    assert lock_state(lockable).state == "open"


def test_who_was_stopped_does_not_keep_legacy_from_being_locked(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    with carrier(lockable) as session:
        write(session, WRITES[1])
        lock_and_prove(lockable)
        with pytest.raises(psycopg.OperationalError):
            session.commit()
    assert ask(lockable, NAMES) == [("kept",)]


def test_only_the_owner_of_the_lock_can_let_anybody_through(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    ask(lockable, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO lock_app, PUBLIC")
    ask(lockable, "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO lock_app, PUBLIC")
    lock(lockable)
    for command in (
        "SELECT * FROM sigmasight_cutover.lock",
        "UPDATE sigmasight_cutover.lock SET passing = pg_current_xact_id()",
        "INSERT INTO sigmasight_cutover.lock (passing) VALUES (pg_current_xact_id())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema sigmasight_cutover"):
            ask(as_role(lockable, "lock_app"), command)


# What the lock of an earlier version looks like.
_EARLIER = """
ALTER TABLE sigmasight_cutover.lock DROP COLUMN passing;
CREATE OR REPLACE FUNCTION sigmasight_cutover.refuse_write() RETURNS trigger
LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'SGW01'; END$$
"""


def test_a_lock_of_an_earlier_version_is_brought_up_to_date(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    since, now = epoch_of(lockable), ask(lockable, EVERYTHING)
    ask(lockable, _EARLIER)
    with carrier(lockable) as session:
        write(session, WRITES[0])
    assert ask(lockable, NAMES) == [("carried",), ("kept",)]
    assert epoch_of(lockable) == since
    assert len(ask(lockable, EVERYTHING)) == len(now)
    is_refused(lockable)


def test_who_asks_whether_it_may_write_gets_no_number(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    with connect(lockable, application_name="tests") as session:
        with pytest.raises(psycopg.Error, match=REFUSED), session.transaction():
            write(session, "DELETE FROM plain WHERE false")
        found = session.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
    assert found == (None,)
