"""Whether a table was written since it was last looked at, told without reading its rows."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.copies import TableState
from ops.connection import connect
from ops.copy.catalogue import read_relations
from ops.copy.table_state import StateChange, look, own_transaction
from ops.embedded.server import EmbeddedServer
from tests.databases import create_database
from tests.integration.copy.conftest import Run

EVERY = sql.SQL("true")
TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, g FROM"
    " generate_series(1, 5) AS g"
)


@pytest.fixture(scope="module")
def database(server: EmbeddedServer) -> URL:
    """A database in which each case makes its table anew."""
    return create_database(server)


def looked(connection: psycopg.Connection, since: TableState | None) -> StateChange:
    relation = read_relations(connection, ["t"])["t"]
    found = look(connection, relation, EVERY, "shape", since)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("statements", "unwritten"),
    [
        ("SELECT * FROM t", True),
        ("SELECT * FROM t FOR UPDATE", True),
        ("CREATE TABLE other (id int); INSERT INTO other VALUES (1)", True),
        ("VACUUM t", True),
        ("VACUUM FREEZE t", True),
        ("CREATE INDEX ON t (v); ANALYZE t", True),
        ("BEGIN; UPDATE t SET v = 9; ROLLBACK", True),
        ("BEGIN; DELETE FROM t; TRUNCATE t; ROLLBACK", True),
        ("INSERT INTO t VALUES (6, 6)", False),
        ("UPDATE t SET v = 9 WHERE id = 1", False),
        ("UPDATE t SET v = v", False),
        ("DELETE FROM t WHERE id = 1", False),
        ("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 1)", False),
        ("TRUNCATE t", False),
        (
            "BEGIN; TRUNCATE t; INSERT INTO t SELECT g, g FROM generate_series(1, 5) AS g; COMMIT",
            False,
        ),
        ("VACUUM FULL t", False),
        ("ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v int DEFAULT 7", False),
        ("ALTER TABLE t RENAME TO old; CREATE TABLE t AS SELECT * FROM old", False),
    ],
)
def test_every_write_is_noticed_and_little_else(
    run: Run, database: URL, statements: str, unwritten: bool
) -> None:
    run(database, f"DROP TABLE IF EXISTS t, old, other; {TABLE}")
    with connect(database, application_name="tests", autocommit=True) as connection:
        before = looked(connection, None)
        assert (before.unchanged, before.new_rows, before.seen.rows) == (False, None, 5)
        assert looked(connection, before.seen).unchanged
        # One by one where there is no transaction: VACUUM allows none, not even an implied one.
        for statement in [statements] if "BEGIN" in statements else statements.split("; "):
            run(database, statement)
        after = looked(connection, before.seen)
        assert after.unchanged is unwritten
        assert after.only_inserted is (unwritten or statements.startswith("INSERT"))


def test_those_that_may_be_new_are_found_again_in_whatever_pages(
    run: Run, scratch_database: URL
) -> None:
    run(scratch_database, TABLE.replace("5)", "2000)"))
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        before = looked(connection, None)
        run(scratch_database, "DELETE FROM t WHERE id BETWEEN 2 AND 200")
        run(scratch_database, "VACUUM t")
        run(scratch_database, "INSERT INTO t VALUES (3000, 0); UPDATE t SET v = 0 WHERE id = 1999")
        newer = looked(connection, before.seen).newer
        assert newer is not None
        rows = sql.SQL("SELECT array_agg(id ORDER BY id) FROM t WHERE {}").format(newer)
        assert connection.execute(rows).fetchone() == ([1999, 3000],)


def test_what_was_being_written_while_one_looked_is_new(run: Run, scratch_database: URL) -> None:
    run(scratch_database, TABLE)
    with (
        connect(scratch_database, application_name="tests", autocommit=True) as connection,
        connect(scratch_database, application_name="writer") as writer,
    ):
        writer.execute("UPDATE t SET v = 0 WHERE id = 1")
        run(scratch_database, "INSERT INTO t VALUES (6, 6)")  # a younger one that ends before
        before = looked(connection, None)
        writer.commit()
        after = looked(connection, before.seen)
        assert not after.unchanged
        rows = sql.SQL("SELECT id FROM t WHERE {} ORDER BY id").format(before.seen.new_rows)
        assert (1,) in connection.execute(rows).fetchall()


def test_ones_own_rows_are_seen_and_those_of_others_beside_them_are_not(
    run: Run, scratch_database: URL
) -> None:
    run(scratch_database, TABLE)
    with connect(scratch_database, application_name="tests") as connection:
        connection.execute("UPDATE t SET v = v + 1")
        seen = looked(connection, None).seen
        own = TableState(seen.place, seen.oldest, seen.rows, own_transaction(connection))
        connection.commit()
        assert looked(connection, own).unchanged
        run(scratch_database, "UPDATE t SET v = 0 WHERE id = 2")
        assert looked(connection, own).new_rows == 1


def test_another_life_of_the_server_proves_nothing(scratch_database: URL, run: Run) -> None:
    run(scratch_database, TABLE)
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        seen = looked(connection, None).seen
        restarted = TableState(f"2001{seen.place[4:]}", seen.oldest, seen.rows)
        assert looked(connection, restarted).new_rows is None
        long_ago = TableState(seen.place, seen.oldest - 2**31, seen.rows)
        assert looked(connection, long_ago).new_rows is None


def test_a_view_cannot_be_looked_at(scratch_database: URL, run: Run) -> None:
    run(scratch_database, "CREATE VIEW t AS SELECT 1 AS id")
    with connect(scratch_database, application_name="tests") as connection:
        relation = read_relations(connection, ["t"])["t"]
        assert look(connection, relation, EVERY, "shape", None) is None
