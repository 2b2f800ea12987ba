"""The write lock: nothing gets past it, and nothing is left of it."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from ops.errors import ConfigurationError, RefusedError
from ops.write_lock.lock import (
    LockReport,
    beyond_lock,
    lock_and_prove,
    lock_state,
    lock_writes,
    release_any_lock,
    release_lock,
    release_lock_in,
    release_others,
)
from ops.write_lock.proof import prove_locked
from ops.write_lock.tables import moved_tables
from tests.databases import create_database, drop_databases
from tests.integration.cutover.conftest import As, Ask, owned
from tests.integration.cutover.locking import EVERYTHING, REFUSED, lock, outcomes, prove
from tests.integration.serving.starting import eventually

TABLES = 10


def superuser(server: EmbeddedServer, url: URL) -> URL:
    return server.url(str(url.database))


def newly(report: LockReport) -> set[str]:
    return {str(one) for one in report.chosen if not one.locked}


def test_locks_proves_releases_and_locks_again(lockable: URL, ask: Ask) -> None:
    before = ask(lockable, EVERYTHING)
    for _ in range(2):
        assert lock_state(lockable).state == "open"
        with connect(lockable, application_name="tests") as connection:
            report = lock_writes(connection)
            proof = prove(connection)
            inside = prove_locked(connection, report.chosen, truncate=False)
        assert Counter(one.kind for one in inside) == {"INSERT": 9, "UPDATE": 8, "DELETE": 9}
        assert report.tables == len(newly(report)) == len({one.table for one in proof}) == TABLES
        # The rule answers INSERT, UPDATE and DELETE itself; a table without columns has no UPDATE.
        tried = {"INSERT": 9, "UPDATE": 8, "DELETE": 9, "TRUNCATE": 10}
        assert Counter(one.kind for one in proof) == tried
        assert outcomes(proof) == {"trigger": 36}
        found = lock_state(lockable)
        assert (found.state, found.tables, found.unlocked) == ("locked", TABLES, ())
        assert found.since is not None
        assert ask(lockable, EVERYTHING) != before
        release_lock(lockable)
        assert ask(lockable, EVERYTHING) == before
        assert ask(lockable, "INSERT INTO plain (name) VALUES ('x') RETURNING true") == [(True,)]
        ask(lockable, "DELETE FROM plain WHERE name = 'x'; SELECT setval('plain_id_seq', 1)")


def test_a_second_lock_changes_nothing_and_keeps_its_date(lockable: URL, ask: Ask) -> None:
    before = ask(lockable, EVERYTHING)
    lock(lockable)
    once, since = ask(lockable, EVERYTHING), lock_state(lockable).since
    with connect(lockable, application_name="tests") as connection:
        report = lock_writes(connection)
    assert newly(report) == set()
    assert ask(lockable, EVERYTHING) == once
    assert lock_state(lockable).since == since
    release_lock(lockable)
    assert ask(lockable, EVERYTHING) == before


def test_a_release_of_what_is_open_changes_nothing(lockable: URL, ask: Ask) -> None:
    before = ask(lockable, EVERYTHING)
    release_lock(lockable)
    assert ask(lockable, EVERYTHING) == before


WRITES = [
    "INSERT INTO plain (name) VALUES ('x')",
    "UPDATE plain SET name = 'x' WHERE id = 1",
    "DELETE FROM parts WHERE day < '2025-01-01'",
    "INSERT INTO parts VALUES ('2024-06-01', 3)",
    "UPDATE parts_old SET value = 9",
    "TRUNCATE plain CASCADE",
    "TRUNCATE parts_new",
    "MERGE INTO plain USING (SELECT 7 AS k) ON id = k"
    " WHEN NOT MATCHED THEN INSERT (name) VALUES ('m')",
    'INSERT INTO "Quoted ""Name""" (b) VALUES (1)',
    "WITH w AS (DELETE FROM scratch RETURNING a) SELECT * FROM w",
    "UPDATE names SET name = 'through the view'",
    'INSERT INTO "Second".plain VALUES (1)',
    "SET session_replication_role = replica; INSERT INTO plain (name) VALUES ('x')",
]


@pytest.fixture(scope="module")
def locked_and_open(
    server: EmbeddedServer, lockable_template: str, as_role: As, ask: Ask
) -> Iterator[tuple[URL, URL]]:
    """The superuser's addresses of two equal databases, of which the first is locked."""
    locked, free = (create_database(server, lockable_template) for _ in range(2))
    lock(owned(locked, as_role, ask))
    yield locked, free
    drop_databases(server, [locked, free])


@pytest.mark.parametrize("write", WRITES)
def test_not_even_a_superuser_writes(
    locked_and_open: tuple[URL, URL], ask: Ask, write: str
) -> None:
    locked, unlocked = locked_and_open
    with pytest.raises(psycopg.Error, match=REFUSED) as refused:
        ask(locked, write)
    assert refused.value.sqlstate == "SGW01"
    ask(unlocked, f"BEGIN; {write}; ROLLBACK")


def test_the_app_is_refused_by_privilege_too(lockable: URL, as_role: As, ask: Ask) -> None:
    app, second = as_role(lockable, "lock_app"), as_role(lockable, "lock_second")
    held = """
        SELECT has_table_privilege('plain', 'INSERT'), has_table_privilege('plain', 'TRUNCATE'),
            has_any_column_privilege('child', 'INSERT'),
            has_column_privilege('child', 'note', 'UPDATE'),
            has_table_privilege('"Second".plain', 'UPDATE'),
            has_sequence_privilege('plain_id_seq', 'USAGE'),
            has_sequence_privilege('loose', 'UPDATE WITH GRANT OPTION'),
            has_table_privilege('plain', 'SELECT'), has_table_privilege('plain', 'REFERENCES'),
            has_column_privilege('child', 'id', 'SELECT')
    """
    before = ask(app, held)
    assert before == [(True, True, True, True, True, True, False, True, True, True)]
    lock(lockable)
    assert ask(app, held) == [(False,) * 7 + (True,) * 3]
    with connect(app, application_name="tests") as connection:
        proof = prove(connection)
    assert outcomes(proof) == {"privilege": 36}
    assert ask(second, held)[0][6] is False
    release_lock(lockable)
    assert ask(app, held) == before
    assert ask(second, held)[0][6] is True
    with connect(app, application_name="tests") as connection, pytest.raises(RefusedError):
        prove(connection, lambda known: [one for one in known if one.is_table])


def test_a_new_table_is_named_and_closed_to_the_app_until_it_is_locked(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    before = ask(lockable, EVERYTHING)
    lock(lockable)
    ask(lockable, 'CREATE TABLE "Later" (a serial)')
    found = lock_state(lockable)
    assert (found.state, found.unlocked, found.any_locked) == ("partial", ("Later",), True)
    assert ask(
        as_role(lockable, "lock_app"),
        "SELECT has_table_privilege('\"Later\"', 'INSERT'),"
        " has_table_privilege('\"Later\"', 'SELECT')",
    ) == [(False, True)]
    with (
        connect(lockable, application_name="tests") as connection,
        pytest.raises(RefusedError, match="'Later' let INSERT through"),
    ):
        prove(connection)
    lock(lockable)
    assert lock_state(lockable).state == "locked"
    ask(lockable, 'DROP TABLE "Later"')
    release_lock(lockable)
    assert ask(lockable, EVERYTHING) == before


def test_a_weakened_lock_is_seen_and_mended(lockable: URL, ask: Ask) -> None:
    lock(lockable)
    for damage in ("ALTER TABLE scratch DISABLE", "ALTER TABLE scratch ENABLE", "DROP"):
        on = " ON scratch" if damage == "DROP" else ""
        ask(lockable, f'{damage} TRIGGER "00_sigmasight_write_lock"{on}')
        found = lock_state(lockable)
        assert (found.state, found.unlocked) == ("partial", ("scratch",)), damage
        lock(lockable)
        assert lock_state(lockable).state == "locked", damage


def test_a_proof_of_an_open_database_writes_nothing(lockable: URL, ask: Ask) -> None:
    rows = "SELECT count(*), (SELECT count(*) FROM parts) FROM plain"
    before = ask(lockable, EVERYTHING), ask(lockable, rows)
    with (
        connect(lockable, application_name="tests") as connection,
        pytest.raises(RefusedError, match="let INSERT through; nothing was written"),
    ):
        prove(connection)
    assert (ask(lockable, EVERYTHING), ask(lockable, rows)) == before


def test_says_what_it_cannot_take_away_and_what_it_cannot_reach(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    app = as_role(lockable, "lock_app")
    ask(app, 'GRANT INSERT ON "Quoted ""Name""" TO lock_second')
    ask(lockable, 'ALTER TABLE child ENABLE TRIGGER "0_theirs"')
    before = ask(lockable, EVERYTHING)
    with connect(lockable, application_name="tests") as connection:
        report = lock_writes(connection)
        prove(connection)
    assert [line.split(" (")[0] for line in report.kept] == [
        'INSERT on TABLE public."Quoted ""Name""" to lock_app',
        'INSERT on TABLE public."Quoted ""Name""" to lock_second',
    ]
    assert "granted by lock_app" in report.kept[1]
    assert beyond_lock(lockable) == [], "a write through a view reaches a table"
    with connect(as_role(lockable, "lock_second"), application_name="tests") as connection:
        prove(connection)
    release_lock(lockable)
    assert ask(lockable, EVERYTHING) == before


OF_OTHERS = """
CREATE TABLE users (id int); CREATE TABLE portfolios (id int); CREATE TABLE positions (id int);
ALTER TABLE users OWNER TO lock_owner; ALTER TABLE portfolios OWNER TO lock_owner;
ALTER TABLE positions OWNER TO lock_owner;
CREATE SCHEMA auth AUTHORIZATION lock_second;
CREATE TABLE auth.users (id int); ALTER TABLE auth.users OWNER TO lock_second;
ALTER TABLE scratch OWNER TO lock_second;
SELECT lo_create(4711);
"""


def test_what_belongs_to_other_roles_is_named_and_stays_open(
    server: EmbeddedServer, lockable: URL, as_role: As, ask: Ask
) -> None:
    ask(superuser(server, lockable), OF_OTHERS)
    before = ask(lockable, EVERYTHING)
    with connect(lockable, application_name="tests") as connection:
        report = lock_writes(connection, choose=moved_tables)
    assert newly(report) == {"portfolios", "positions", "users"}
    others = ("scratch of lock_second", "auth.users of lock_second")
    assert set(beyond_lock(lockable)) == {*others, "large objects (1)"}
    lock_and_prove(lockable)
    assert lock_state(lockable).state == "locked"
    ask(as_role(lockable, "lock_second"), "INSERT INTO auth.users VALUES (1)")
    lock_and_prove(superuser(server, lockable))  # whose reach is longer
    with pytest.raises(psycopg.Error, match=REFUSED):
        ask(as_role(lockable, "lock_second"), "INSERT INTO auth.users VALUES (1)")
    release_lock(superuser(server, lockable))
    assert ask(lockable, EVERYTHING) == before


def test_refuses_when_a_table_of_the_move_is_another_roles(
    server: EmbeddedServer, lockable: URL, as_role: As, ask: Ask
) -> None:
    ask(superuser(server, lockable), OF_OTHERS + "ALTER TABLE positions OWNER TO lock_second")
    before = ask(lockable, EVERYTHING)
    with (
        connect(lockable, application_name="tests") as connection,
        pytest.raises(RefusedError, match="'positions' belongs to 'lock_second'"),
    ):
        lock_writes(connection)
    assert ask(lockable, EVERYTHING) == before
    # A superuser, and a member of that role, may.
    for allowed in (superuser(server, lockable), lockable):
        ask(superuser(server, lockable), "GRANT lock_second TO lock_owner")
        lock(allowed)
        with connect(as_role(lockable, "lock_second"), application_name="tests") as connection:
            prove(connection)
        release_lock(allowed)
        assert ask(lockable, EVERYTHING) == before
    ask(superuser(server, lockable), "REVOKE lock_second FROM lock_owner")


def test_releases_after_tables_and_roles_have_gone(
    server: EmbeddedServer, lockable: URL, ask: Ask
) -> None:
    other = superuser(server, lockable)
    ask(other, "CREATE ROLE lock_leaver; GRANT INSERT ON plain TO lock_leaver")
    before = ask(lockable, EVERYTHING)
    lock(lockable)
    ask(
        other,
        "DROP TABLE ruled; DROP TABLE parts; DROP OWNED BY lock_leaver; DROP ROLE lock_leaver",
    )
    release_lock(lockable)
    after = ask(lockable, EVERYTHING)
    assert not any("sigmasight" in str(line) for line in after)
    gone = {str(line[0]) for line in before} - {str(line[0]) for line in after}
    assert {line.split()[1] for line in gone if line.startswith("relation")} == {
        "public.ruled", "public.parts", "public.parts_old", "public.parts_new", "public.plain"
    }  # fmt: skip


def test_each_privilege_comes_back_by_itself_and_to_a_role_that_was_renamed(
    server: EmbeddedServer, lockable: URL, ask: Ask
) -> None:
    above = superuser(server, lockable)
    ask(above, "CREATE ROLE lock_before; GRANT INSERT, UPDATE (name) ON plain TO lock_before")
    lock(lockable)
    ask(above, "ALTER ROLE lock_before RENAME TO lock_after")
    ask(above, "ALTER TABLE plain DROP name CASCADE; CREATE ROLE lock_before")
    release_lock(lockable)
    held = "SELECT has_table_privilege('lock_after', 'plain', 'INSERT'),"
    held += " has_table_privilege('lock_before', 'plain', 'INSERT')"
    assert ask(above, held) == [(True, False)]
    ask(above, "DROP OWNED BY lock_after; DROP ROLE lock_after, lock_before")


def test_a_lock_of_another_role_names_it(server: EmbeddedServer, lockable: URL) -> None:
    above = superuser(server, lockable)
    lock(above)
    said = rf"was locked by role '{above.username}'; give an address of that role"
    for command in (lock_state, release_any_lock):
        with pytest.raises(ConfigurationError, match=said):
            command(lockable)


def test_forced_policies_of_a_table_keep_it_neither_from_being_locked_nor_proved(
    lockable: URL, ask: Ask
) -> None:
    ask(lockable, "ALTER TABLE scratch FORCE ROW LEVEL SECURITY, ENABLE ROW LEVEL SECURITY")
    lock_and_prove(lockable)
    assert lock_state(lockable).state == "locked"


MOVED = """
CREATE TABLE users (id int);
CREATE TABLE positions (id int) PARTITION BY LIST (id);
CREATE TABLE of_this_year PARTITION OF positions DEFAULT;
GRANT INSERT ON users, of_this_year, scratch TO lock_second;
"""


def test_while_requests_wait_only_what_the_move_reads_is_locked_and_proved(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    ask(lockable, MOVED)
    before = ask(lockable, EVERYTHING)
    with connect(lockable, application_name="tests") as connection:
        report = lock_writes(connection, choose=moved_tables)
        assert len({one.table for one in prove(connection, moved_tables)}) == 3
    assert newly(report) == {"of_this_year", "positions", "users"}
    second = as_role(lockable, "lock_second")
    ask(second, "DELETE FROM scratch")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(second, "INSERT INTO of_this_year VALUES (1)")
    for _ in range(2):
        lock_and_prove(lockable)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(second, "DELETE FROM scratch")
        release_others(lockable, 10, lambda: None)
        assert lock_state(lockable).state == "partial"
        assert {"of_this_year", "positions", "users"}.isdisjoint(lock_state(lockable).unlocked)
        ask(second, "DELETE FROM scratch")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(second, "INSERT INTO of_this_year VALUES (1)")
    release_lock(lockable)
    assert ask(lockable, EVERYTHING) == before


def test_all_is_locked_where_the_move_reads_a_view(lockable: URL, ask: Ask) -> None:
    ask(lockable, "CREATE VIEW users AS SELECT * FROM scratch")
    with connect(lockable, application_name="tests") as connection:
        assert lock_writes(connection, choose=moved_tables).tables == TABLES


GIVEN_UP = "SELECT sigmasight_release.given_up(%s)"


def lock_in_hold(url: URL, hold: int) -> None:
    with connect(url, application_name="tests") as connection:
        lock_writes(connection, hold=hold)


def test_the_lock_of_one_hold_can_be_taken_off_by_who_could_write(
    lockable: URL, as_role: As, ask: Ask
) -> None:
    before = ask(lockable, EVERYTHING)
    lock_in_hold(lockable, 7)
    app = as_role(lockable, "lock_app")
    assert ask(app, GIVEN_UP, [6]) == [(False,)]
    assert lock_state(lockable).state == "locked"
    assert ask(app, GIVEN_UP, [7]) == [(True,)]
    assert ask(lockable, EVERYTHING) == before


def test_nobody_else_can_and_nobody_once_it_is_sealed(
    server: EmbeddedServer, lockable: URL, as_role: As, ask: Ask
) -> None:
    ask(superuser(server, lockable), "CREATE ROLE lock_reader LOGIN PASSWORD 'reader'")
    reader = lockable.set(username="lock_reader", password="reader")
    lock_in_hold(lockable, 7)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(reader, GIVEN_UP, [7])
    ask(superuser(server, lockable), "DROP ROLE lock_reader")
    app = as_role(lockable, "lock_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="function unlock"):
        ask(app, "SELECT sigmasight_release.unlock()")
    lock(lockable)
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        ask(app, GIVEN_UP, [7])
    assert lock_state(lockable).state == "locked"


def test_who_comes_late_leaves_the_lock_of_the_next_hold_alone(
    server: EmbeddedServer, lockable: URL, as_role: As, ask: Ask
) -> None:
    patient = f"ALTER DATABASE {lockable.database} SET deadlock_timeout = '30s'"
    ask(superuser(server, lockable), patient)
    lock_in_hold(lockable, 7)
    with ThreadPoolExecutor(1) as pool:
        with connect(lockable, application_name="tests") as connection:
            release_lock_in(connection)
            late = pool.submit(ask, as_role(lockable, "lock_app"), GIVEN_UP, [7])
            eventually(lambda: ask(lockable, "SELECT pid FROM pg_locks WHERE NOT granted") != [])
            lock_writes(connection, hold=8)
        assert late.result(30) == [(False,)]
    assert lock_state(lockable).state == "locked"


LOGGING = """
CREATE TABLE log_of_ddl (tag text);
ALTER TABLE log_of_ddl OWNER TO lock_owner;
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO log_of_ddl VALUES (tg_tag); END';
CREATE EVENT TRIGGER log_all ON ddl_command_end EXECUTE FUNCTION log_ddl();
"""
FORBIDDING = """
CREATE FUNCTION forbid_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN RAISE ''no DDL here''; END';
CREATE EVENT TRIGGER forbid_all ON ddl_command_start EXECUTE FUNCTION forbid_ddl();
"""


@pytest.mark.parametrize(
    "triggers",
    [
        pytest.param(LOGGING, id="logging", marks=pytest.mark.soak),
        pytest.param(FORBIDDING, id="forbidding"),
    ],
)
def test_event_triggers_are_silent_for_a_superuser_and_named_to_others(
    server: EmbeddedServer, lockable: URL, ask: Ask, triggers: str
) -> None:
    above = superuser(server, lockable)
    named = r"event triggers \(\w+_all: .*DISABLE"
    lock(lockable)
    ask(above, triggers)
    release_lock(above)
    with pytest.raises(RefusedError, match=named):
        lock(lockable)
    assert lock_state(lockable).state == "open"
    lock_and_prove(above)
    assert lock_state(above).state == "locked"


def test_what_is_read_only_by_default_is_locked_and_released(lockable: URL, ask: Ask) -> None:
    ask(lockable, f"ALTER DATABASE {lockable.database} SET default_transaction_read_only = on")
    lock_and_prove(lockable)
    assert lock_state(lockable).state == "locked"
    release_any_lock(lockable)
    assert lock_state(lockable).state == "open"


def test_what_the_server_takes_from_nobody_is_as_good_as_locked(
    lockable: URL, server: EmbeddedServer, ask: Ask
) -> None:
    """A published table without a key has no UPDATE and no DELETE."""
    ask(superuser(server, lockable), "CREATE PUBLICATION everything FOR ALL TABLES")
    with connect(lockable, application_name="tests") as connection:
        lock_writes(connection)
        assert set(outcomes(prove(connection))) == {"trigger", "publication"}
