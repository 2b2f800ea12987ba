"""Evidence of who used legacy since the swap: others are seen, we are not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.books.cutovers import begin_cutover, end_cutover
from ops.books.legacy_accesses import one_at_a_time
from ops.connection import connect
from ops.database_identity import identity
from ops.errors import BusyError
from ops.legacy_access.account import access_evidence, begin_window, recorded_access, restart_window
from ops.legacy_access.counters import look_at
from ops.seed import seed
from ops.verify.market_data import market_data_equals_legacy
from ops.verify.subject import Subject
from ops.write_lock.lock import lock_writes, release_lock
from tests.databases import NewDatabase
from tests.groups import soaked
from tests.integration.cutover.conftest import As, Ask
from tests.integration.cutover.watched_legacy import rows_of, settled, swap, untouched, use


@pytest.fixture
def legacy(new_database: NewDatabase, books_template: str) -> URL:
    """A database with two tables, owned by the superuser."""
    return new_database(books_template)


@pytest.fixture
def core(core_url: URL, legacy: URL) -> URL:
    """Core after a swap from `legacy`, with the window just begun."""
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    return core_url


def test_nobody_else_means_nothing_is_found(core: URL, legacy: URL) -> None:
    found = access_evidence(core, legacy)
    assert untouched(found)
    assert found.since is not None
    assert (found.reads, found.writes, found.rollbacks, found.sessions) == (0, 0, 0, 0)


def test_our_own_accesses_are_not_taken_for_others(core: URL, legacy: URL, ask: Ask) -> None:
    for purpose in ("copy", "backup"):
        with recorded_access(core, legacy, purpose):
            use(legacy)
            with recorded_access(core, legacy, "nested"):
                use(legacy, "INSERT INTO book VALUES (-1, 'a'); DELETE FROM book WHERE id = -1")
    found = access_evidence(core, legacy)
    assert untouched(found)
    assert (found.accesses, found.sessions, found.rollbacks) == (2, 0, 0)
    assert rows_of(core, ask) == [
        ("window", "the swap ended"),
        *[(moment, purpose) for purpose in ("copy", "backup") for moment in ("before", "after")],
    ]


def test_an_access_beside_one_that_was_stopped_names_its_session(
    core: URL, legacy: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.books.run_lock.WAIT_SECONDS", 0.1)
    with one_at_a_time(core) as stopped:
        said = rf"its session {stopped.info.backend_pid} is there since .* end it in Core"
        with pytest.raises(BusyError, match=said):
            access_evidence(core, legacy)
    assert untouched(access_evidence(core, legacy))


def test_an_access_that_fails_is_recorded_whole(core: URL, legacy: URL, ask: Ask) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), recorded_access(core, legacy, "copy"):
        use(legacy, "SELECT * FROM book; SELECT * FROM missing")
    assert [moment for moment, _ in rows_of(core, ask)] == ["window", "before", "after"]
    assert untouched(access_evidence(core, legacy))


READS = [
    ("SELECT count(*) FROM book", 1, 5000),
    ("SELECT title FROM book WHERE id = 7", 1, 1),
    ("COPY book TO '/dev/null'", 1, 5000),
    ('SELECT * FROM "Other Shelf"', 1, 0),
    ("SELECT * FROM book TABLESAMPLE SYSTEM (100)", 0, 5000),
]


@pytest.mark.parametrize("reads", [READS[3:], *soaked(READS[:3])], ids=["two", "three more"])
def test_a_strangers_read_is_seen(
    core: URL, legacy: URL, reads: list[tuple[str, int, int]]
) -> None:
    for query, scans, rows in reads:
        with recorded_access(core, legacy, "copy"):
            use(legacy)
        use(legacy, query)  # with our role and name, which are no proof
        with recorded_access(core, legacy, "copy"):
            use(legacy)
        found = settled(core, legacy)
        assert (found.known, untouched(found)) == (True, False), query
        assert (found.reads, found.writes, found.sessions) == (scans, 0, 1), query
        assert found.rows_read >= rows, query
        assert found.tables == {'"Other Shelf"' if "Other" in query else "book"}
        assert access_evidence(core, legacy).reads == scans, query
        restart_window(core, legacy, "seen")


WRITES = [
    "INSERT INTO book VALUES (-1, 'new')",
    "UPDATE book SET title = 'u' WHERE id = 1",
    "CREATE TABLE late (a int)",
    'DROP TABLE "Other Shelf"; CREATE TABLE "Other Shelf" (id int)',
    'DROP TABLE "Other Shelf"',
]


def test_a_strangers_write_is_seen(core: URL, legacy: URL) -> None:
    for write in WRITES:
        use(legacy, write)
        found = settled(core, legacy)
        assert (found.known, found.writes) == (True, 1), write
        restart_window(core, legacy, "seen")


def test_a_strangers_refused_write_wrote_nothing(
    core_url: URL, legacy: URL, as_role: As, ask: Ask
) -> None:
    ask(legacy, "GRANT ALL ON book TO lock_app")
    swap(core_url, legacy)
    with connect(legacy, application_name="tests") as connection:
        lock_writes(connection)
    begin_window(core_url, legacy)
    for url, reason in ((legacy, "is refused"), (as_role(legacy, "lock_app"), "permission denied")):
        with pytest.raises(psycopg.Error, match=reason):
            use(url, "UPDATE book SET title = 'x'")
    found = settled(core_url, legacy)
    assert untouched(found)
    assert (found.writes, found.rollbacks) == (0, 2)


def test_without_a_swap_nothing_is_recorded_and_nothing_known(
    core_url: URL, legacy: URL, ask: Ask
) -> None:
    with recorded_access(core_url, legacy, "copy"):
        use(legacy)
    with recorded_access(core_url, None, "seed"):
        pass
    assert rows_of(core_url, ask) == []
    assert access_evidence(core_url, legacy).reason == "no swap is in force"
    assert not access_evidence(core_url, None).known
    swap(core_url, legacy)
    with recorded_access(core_url, None, "seed"):
        pass
    assert rows_of(core_url, ask) == []
    found = access_evidence(core_url, legacy)
    assert (found.known, found.restarts) == (False, True)
    number = begin_cutover(core_url, "rollback", "plan", identity(legacy), 0)
    end_cutover(core_url, number, "done", {})
    with recorded_access(core_url, legacy, "copy"):
        use(legacy)
    assert rows_of(core_url, ask) == []


def test_a_role_without_rights_sees_the_same_sessions_and_counters(
    core: URL, legacy: URL, as_role: As, ask: Ask
) -> None:
    app = as_role(legacy, "lock_app")
    assert identity(app) == identity(legacy)
    with connect(legacy, application_name="tests") as theirs:
        assert [one.pid for one in look_at(app).sessions] == [theirs.info.backend_pid]
    use(legacy)
    settled(core, legacy)
    assert access_evidence(core, app).reads == 1


def test_accesses_that_overlap_are_both_ours(core: URL, legacy: URL) -> None:
    both = Barrier(2, timeout=20)

    def access(purpose: str) -> None:
        with recorded_access(core, legacy, purpose):
            both.wait()
            use(legacy)
            both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(access, ("verify", "backup")))
    found = settled(core, legacy)
    assert untouched(found)
    assert found.accesses == 2
    use(legacy)
    assert settled(core, legacy).reads == 1


def test_an_access_across_the_beginning_of_a_window_is_ours(core: URL, legacy: URL) -> None:
    with recorded_access(core, legacy, "backup"):
        use(legacy)
        restart_window(core, legacy, "in the meantime")
        use(legacy)
    found = settled(core, legacy)
    assert untouched(found)
    use(legacy)
    assert settled(core, legacy).reads == 1


def test_verification_reads_legacy_as_a_recorded_access(
    core_url: URL, ai_url: URL, new_database: NewDatabase, core_template: str, ask: Ask
) -> None:
    legacy = new_database(core_template)
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    day = date(2025, 7, 1)
    found = market_data_equals_legacy(Subject(core_url, ai_url, legacy, day, day))
    assert found.outcome == "pass"
    assert rows_of(core_url, ask)[1:] == [("before", "verify"), ("after", "verify")]
    assert untouched(access_evidence(core_url, legacy))


@pytest.mark.soak
def test_seeding_reads_legacy_as_a_recorded_access(core: URL, legacy: URL, ask: Ask) -> None:
    for _ in range(2):
        seed(core, demo_password="demo", legacy_url=legacy)
    assert rows_of(core, ask)[1:] == [("before", "seed"), ("after", "seed")] * 2
    assert untouched(access_evidence(core, legacy))


def test_the_lock_of_a_swap_is_no_strangers_doing(core_url: URL, legacy: URL) -> None:
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    with recorded_access(core_url, legacy, "lock"):
        with connect(legacy, application_name="tests") as connection:
            lock_writes(connection)
        release_lock(legacy)
    assert untouched(access_evidence(core_url, legacy))
